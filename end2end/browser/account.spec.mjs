// One's own account, and what the pages ask before somebody is locked out.
import { ADMIN, expect, test, visit } from "./fixtures.mjs";

const PASSWORD = "correct horse battery";
const contents = (page) => page.locator(".with-side > .column:not(.side-column)");
const SECURITY = "/properties/security/accounts";

/** Makes an account, and a page on which it is signed in. */
async function signedIn(pair, browser, name, roles, scripted) {
  await pair.primary.change("security", {
    accounts: [...(await pair.primary.get("/api/v1/settings/security")).accounts, { name, roles, disabled: false, password: PASSWORD }],
  });
  const context = await browser.newContext({ baseURL: pair.primary.url, javaScriptEnabled: scripted });
  return { context, page: await signIn(context, name, PASSWORD) };
}

async function signIn(context, name, password) {
  const page = await context.newPage();
  await page.goto("/sign-in");
  await page.locator("[name=user]").fill(name);
  await page.locator("[name=password]").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  return page;
}

test("whoever is signed in changes their own password, and goes on", async ({ dashboard, pair, browser, provoked }) => {
  const before = await pair.primary.get("/api/v1/settings/security");
  const { scripted } = await dashboard(pair.primary, null);
  const { context, page } = await signedIn(pair, browser, "reader", ["read_only"], scripted);
  await page.getByRole("link", { name: /^Your account: reader/ }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Your account");
  await expect(contents(page)).toContainText("read-only");
  const change = async (present, password) => {
    await page.getByLabel("Present password").fill(present);
    await page.getByLabel("New password", { exact: false }).first().fill(password);
    await page.getByLabel("New password again").fill(password);
    await page.getByRole("button", { name: "Change password" }).click();
  };
  provoked.push(/status of 403/);
  await change("not the password", "better horse battery");
  await expect(page.getByText("Your present password is another one.").first()).toBeVisible();
  const copy = await browser.newContext({ baseURL: pair.primary.url, javaScriptEnabled: scripted, storageState: await context.storageState() });
  await change(PASSWORD, "better horse battery");
  await expect(page.getByText("Your password is changed.")).toBeVisible();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Overview");
  await page.goto("/sessions");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/User sessions/);
  await context.close();
  const thief = await copy.newPage();
  await thief.goto("/sessions");
  await expect(thief, "a copy of the cookie from before").toHaveURL(/\/sign-in/);
  await copy.close();
  const later = await browser.newContext({ baseURL: pair.primary.url, javaScriptEnabled: scripted });
  const again = await signIn(later, "reader", "better horse battery");
  await expect(again.getByRole("heading", { level: 1 })).toHaveText("Overview");
  await later.close();
  await pair.primary.change("security", before);
});

test("on the Backup one's own account is text, with the way to the Primary", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.backup, "/account");
  await expect(contents(page)).toContainText(ADMIN);
  await expect(contents(page).locator("input, button, form")).toHaveCount(0);
  const link = contents(page).getByRole("link", { name: `Open this page on ${pair.primary.name}` });
  await expect(link).toHaveAttribute("href", `${pair.primary.url}/account`);
});

test("who would lock themselves out and stop the synchronization is asked first", async ({ dashboard, pair, browser, provoked }) => {
  const before = await pair.primary.get("/api/v1/settings/security");
  const { scripted } = await dashboard(pair.primary, null);
  const { context, page } = await signedIn(pair, browser, "boss", ["administrator"], scripted);
  provoked.push(/status of 422/);
  await test.step("the Backup's service account", async () => {
    await visit(page, `${SECURITY}/${ADMIN}`);
    await expect(contents(page)).toContainText("event 1206");
    await page.getByLabel("may not sign in for now").check();
    await page.getByRole("button", { name: "Save account" }).click();
    await expect(page.getByText(/Tick .I know that/).first()).toBeVisible();
    expect((await pair.primary.get("/api/v1/settings/security")).accounts.find(({ name }) => name === ADMIN).disabled).toBe(false);
  });
  await test.step("one's own", async () => {
    await visit(page, `${SECURITY}/boss`);
    await page.getByRole("link", { name: "Delete account" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Properties · Delete account boss");
    await page.getByLabel("Reason").fill("I leave");
    await page.getByRole("button", { name: "Delete account" }).click();
    await expect(page.getByText(/Tick .I know that/).first()).toBeVisible();
    await page.getByLabel(/^I know that/).check();
    await page.getByRole("button", { name: "Delete account" }).click();
    await expect(page).toHaveURL(/\/sign-in/);
  });
  expect((await pair.primary.get("/api/v1/settings/security")).accounts.map(({ name }) => name)).not.toContain("boss");
  await context.close();
  await pair.primary.change("security", before);
});
