// Rules: made on the Primary, seen on the Backup, and decided by on both.
import { expect, test, visit } from "./fixtures.mjs";

const rule = (page, name) => page.getByRole("row").filter({ has: page.getByRole("rowheader", { name, exact: true }) });

test("a limit is made, holds on both servers, is changed and deleted", async ({ dashboard, pair }) => {
  const machine = await pair.machine("pc");
  const primary = await dashboard(pair.primary, "/protected-accounts");
  await expect(primary.getByRole("heading", { name: "No rules yet" })).toBeVisible();

  await test.step("it is made by the form", async () => {
    await primary.getByRole("link", { name: "New rule" }).click();
    await expect(primary.getByRole("heading", { level: 1 })).toHaveText("New rule");
    await primary.getByLabel("Subject").selectOption("user");
    await primary.getByLabel("Name").fill("l.kim");
    await primary.getByRole("spinbutton", { name: "Workstation" }).fill("1");
    await primary.getByRole("spinbutton", { name: "VPN" }).fill("0");
    await primary.getByRole("form").getByLabel("Reason").fill("one desk, nothing from outside");
    await primary.getByRole("button", { name: "Save rule" }).click();
    await expect(primary).toHaveURL(/\/protected-accounts$/);
    await expect(primary.getByText(/The rule for .*l\.kim.* is saved/)).toBeVisible();
    await expect(rule(primary, "l.kim")).toContainText("none");
  });

  await test.step("the Backup shows it as text, and both decide by it", async () => {
    await pair.equal();
    const backup = await dashboard(pair.backup, "/protected-accounts");
    await expect(rule(backup, "l.kim")).toContainText("user");
    await expect(rule(backup, "l.kim").getByRole("link")).toHaveCount(0);
    const { allow, decision_id } = await machine.ask("l.kim");
    expect(allow).toBe(true);
    await machine.logOn({ user: "l.kim", decision_id });
    const denied = await machine.ask("l.kim");
    expect(denied).toMatchObject({ allow: false });
    expect(denied.reason).toMatch(/1/);
    expect(await machine.ask("l.kim", "vpn")).toMatchObject({ allow: false });
  });

  await test.step("it is changed", async () => {
    await visit(primary, "/protected-accounts");
    await rule(primary, "l.kim").getByRole("link").click();
    await expect(primary.getByRole("spinbutton", { name: "Workstation" })).toHaveValue("1");
    await primary.getByRole("spinbutton", { name: "Workstation" }).fill("2");
    await primary.getByRole("button", { name: "Save rule" }).click();
    await expect(primary).toHaveURL(/\/protected-accounts$/);
    await expect(rule(primary, "l.kim")).toContainText("2");
    expect(await machine.ask("l.kim")).toMatchObject({ allow: true });
  });

  await test.step("it is deleted", async () => {
    await rule(primary, "l.kim").getByRole("link").click();
    await primary.getByRole("link", { name: "Delete rule" }).click();
    await expect(primary.getByRole("heading", { level: 1 })).toHaveText("Delete the rule for user l.kim");
    await primary.getByLabel("Reason").fill("no longer needed");
    await primary.getByRole("button", { name: "Delete rule" }).click();
    await expect(primary.getByText("The rule is deleted.")).toBeVisible();
    await expect(primary.getByRole("heading", { name: "No rules yet" })).toBeVisible();
  });
});

test("a limit that cannot be is refused where it stands, and nothing else is lost @hydrated", async ({ dashboard, pair, provoked }) => {
  await pair.primary.post("/api/v1/protected-accounts", { subject: { kind: "user", name: "l.twice" }, limits: { total: 3 } });
  const page = await dashboard(pair.primary, "/protected-accounts/new");
  provoked.push(/status of 4\d\d/);
  await page.getByLabel("Name").fill("l.twice");
  await page.getByRole("spinbutton", { name: "In total" }).fill("2");
  await page.getByRole("button", { name: "Save rule" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await expect(page).toHaveURL(/\/new$/);
  await expect(page.getByLabel("Name")).toHaveValue("l.twice");
  const { items } = await pair.primary.get("/api/v1/protected-accounts");
  expect(items).toHaveLength(1);
});

test("a change of a rule that somebody else has changed meanwhile is refused @hydrated", async ({ dashboard, pair, provoked }) => {
  const made = await pair.primary.post("/api/v1/protected-accounts", { subject: { kind: "user", name: "l.shared" }, limits: { total: 3 } });
  const path = `/protected-accounts/${made.id ?? made.account.id}`;
  const [page, other] = [await dashboard(pair.primary, path), await dashboard(pair.primary, path)];
  // Another rule is in nobody's way, this one is.
  await pair.primary.post("/api/v1/protected-accounts", { subject: { kind: "user", name: "l.other" }, limits: { total: 1 } });
  await other.getByRole("spinbutton", { name: "In total" }).fill("3");
  await other.getByRole("spinbutton", { name: "VPN" }).fill("1");
  await other.getByRole("button", { name: "Save rule" }).click();
  await expect(other).toHaveURL(/\/protected-accounts$/);
  provoked.push(/status of 412/);
  await page.getByRole("spinbutton", { name: "In total" }).fill("9");
  await page.getByRole("button", { name: "Save rule" }).click();
  await expect(page.getByRole("alert")).toContainText("Somebody has changed it since you read it");
  await expect(page.getByRole("spinbutton", { name: "In total" })).toHaveValue("9");
  const { items } = await pair.primary.get("/api/v1/protected-accounts");
  expect(items.find(({ subject, account }) => (subject ?? account.subject).name === "l.shared")).toMatchObject({ limits: { total: 3, vpn: 1 } });
});
