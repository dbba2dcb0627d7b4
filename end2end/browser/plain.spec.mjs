// Without JavaScript: pages can be read, links and forms work.
import { ADMIN, expect, row, test } from "./fixtures.mjs";

const notice = (page) => page.locator(".notices");

test("every page can be read @plain", async ({ dashboard, pair }) => {
  const machine = await pair.machine("pc");
  await machine.logOn("n.reader");
  await pair.equal();
  for (const server of pair.servers) {
    const page = await dashboard(server, null);
    const pages = {
      "/": ["Overview", "Lists are equal"],
      "/sessions": ["User sessions", "n.reader"],
      "/protected-accounts": ["Protected accounts", "No rules yet"],
      "/application-log": ["Application log", "has started"],
      "/properties/general": ["Properties · General", "corp.example"],
      "/properties/synchronization": ["Properties · Synchronization", server.role === "backup" ? pair.primary.name : "belongs to the Backup"],
    };
    for (const [path, [heading, text]] of Object.entries(pages)) {
      await page.goto(path);
      await expect(page.getByRole("heading", { level: 1 })).toHaveText(heading);
      await expect(page.getByRole("main")).toContainText(text);
      await expect(page.getByText("Loading…")).toHaveCount(0);
      await expect(page.getByRole("region", { name: "Quick access" })).toBeVisible();
    }
  }
});

test("an address without a page says so, with its status", async ({ dashboard, pair, provoked }) => {
  provoked.push(/status of 404/);
  const page = await dashboard(pair.primary, null);
  const answer = await page.goto("/nothing/here");
  expect(answer.status()).toBe(404);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("There is no such page");
});

test("the list is searched and filtered by its form @plain", async ({ dashboard, pair }) => {
  const machine = await pair.machine("pc");
  await machine.logOn("n.anna", { user: "n.ben", type: "vpn" }, { user: "n.carl", type: "vpn" });
  const page = await dashboard(pair.primary, "/sessions");
  await page.getByLabel("Type").selectOption("vpn");
  await page.getByRole("button", { name: "Search" }).click();
  await expect(page.getByRole("rowheader")).toHaveText(["n.ben", "n.carl"]);
  await page.getByRole("searchbox").fill("carl");
  await page.getByRole("button", { name: "Search" }).click();
  await expect(page.getByRole("rowheader")).toHaveText(["n.carl"]);
  await expect(page.getByLabel("Type")).toHaveValue("vpn");
  await page.getByRole("link", { name: "Clear" }).click();
  await expect(page.getByRole("rowheader")).toHaveText(["n.anna", "n.ben", "n.carl"]);
});

test("both synchronizations are started by forms, and the page that follows tells what they did @plain", async ({ dashboard, pair }) => {
  const machine = await pair.machine("pc");
  await pair.equal();
  await pair.backup.change("synchronization", { continuous: false, interval_seconds: 86_400 });
  await machine.logOn("n.one", "n.two");
  const page = await dashboard(pair.backup, "/");
  await page.getByRole("region", { name: "Quick access" }).getByRole("button", { name: "Synchronize events" }).click();
  await expect(page).toHaveURL(/\/properties\/synchronization\?run=/);
  await expect(notice(page)).toContainText("Synchronize events has begun.");
  await expect(page.getByRole("region", { name: "Synchronize events" })).toContainText("2 events applied, 0 pushed");

  await machine.logOn("n.three");
  await page.getByRole("region", { name: "Quick access" }).getByRole("button", { name: "Synchronize sessions…" }).click();
  const section = page.getByRole("region", { name: "Synchronize sessions" });
  await expect(section).toContainText("1 would be added, 0 changed, 0 closed, 2 equal");
  await expect(section.getByRole("row").filter({ hasText: "n.three" })).toContainText("add");
  expect(await pair.backup.users(machine.machine)).toEqual(["n.one", "n.two"]);
  await section.getByRole("button", { name: "Synchronize sessions" }).click();
  await expect(section).toContainText("1 added, 0 changed, 0 closed, 2 equal");
  expect(await pair.backup.users(machine.machine)).toEqual(["n.one", "n.three", "n.two"]);
});

test("the server's menu has the same entries as links and forms @plain", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.backup, "/sessions");
  await page.locator(".server-name summary").click();
  const menu = page.locator(".server-name .menu-body");
  await expect(menu.getByText("Synchronize events")).toBeVisible();
  await menu.getByText("Test connection").click();
  await expect(notice(page)).toContainText("The connection is in order");
});

test("the settings of the Backup's synchronization are saved by the form @plain", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.backup, "/properties/synchronization");
  await page.getByRole("spinbutton", { name: "Interval" }).fill("2");
  await page.getByLabel("Unit of the interval").selectOption("hours");
  await page.getByLabel("also between two runs").uncheck();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(notice(page)).toContainText("Saved.");
  expect(await pair.backup.get("/api/v1/settings/synchronization")).toMatchObject({ interval_seconds: 7200, continuous: false });
  await expect(page.getByRole("spinbutton", { name: "Interval" })).toHaveValue("2");
  await expect(page.getByLabel("also between two runs")).not.toBeChecked();
});

for (const { role, path, right, wrong, told } of [
  { role: "primary", path: "/properties/general", right: [/^Name/, "typed"], wrong: [/^Time zone/, "Mars/Olympus"], told: "Time zone: is no time zone" },
  { role: "primary", path: "/properties/email", right: [/^Server/, "mail.corp.example"], wrong: [/^From/, "nonsense"], told: "From: must be an address" },
  { role: "primary", path: "/protected-accounts/new", right: [/^Name/, "n.typed"], wrong: ["Terminal", "100001"], told: "Terminal: must be a number" },
  { role: "backup", path: "/properties/synchronization", right: [/^Address/, "http://127.0.0.1:9"], wrong: [/^Interval/, "86000"], told: "from 1 second to 24 hours" },
]) {
  test(`a refused form comes back with what was typed: ${path} @plain`, async ({ dashboard, pair }) => {
    const page = await dashboard(pair[role], path);
    const form = page.locator("form.panel").first();
    // What the browser itself would refuse is sent all the same.
    await form.evaluate((element) => (element.noValidate = true));
    await form.getByLabel(right[0]).fill(right[1]);
    const field = form.getByLabel(wrong[0]).first();
    await field.fill(wrong[1]);
    await form.getByLabel(/^Reason/).fill("as it was typed");
    await form.getByRole("button", { name: /^Save/ }).click();
    await expect(notice(page)).toContainText(told);
    await expect(field).toHaveAttribute("aria-invalid", "true");
    await expect(field).toHaveAccessibleDescription(new RegExp(told));
    await expect(field).toBeFocused();
    await expect(field).toHaveValue(wrong[1]);
    await expect(form.getByLabel(right[0])).toHaveValue(right[1]);
    await expect(form.getByLabel(/^Reason/)).toHaveValue("as it was typed");
    await page.goto(path);
    await expect(field).not.toHaveAttribute("aria-invalid", "true");
    await expect(form.getByLabel(/^Reason/)).toHaveValue("");
  });
}

test("sessions are reset by the form, which needs a reason @plain", async ({ dashboard, pair }) => {
  const machine = await pair.machine("pc");
  await machine.logOn("n.gone", "n.here");
  const page = await dashboard(pair.primary, "/sessions");
  await page.getByRole("checkbox", { name: /Select n\.gone/ }).check();
  await page.getByRole("button", { name: "Reset the selected" }).click();
  await expect(notice(page)).toContainText("Give a reason");
  expect(await pair.primary.users(machine.machine)).toEqual(["n.gone", "n.here"]);
  await page.getByRole("checkbox", { name: /Select n\.gone/ }).check();
  await page.getByLabel(/^Reason/).fill("without a script");
  await page.getByRole("button", { name: "Reset the selected" }).click();
  await expect(row(page, "n.gone")).toHaveCount(0);
  await expect(row(page, "n.here")).toBeVisible();
});

test("the application log is filtered, its details open @plain", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.primary, "/application-log");
  const log = page.getByRole("region", { name: "Events, the newest first" });
  await page.getByRole("spinbutton", { name: "Id" }).fill("1000");
  await page.getByRole("button", { name: "Filter" }).click();
  await expect(page).toHaveURL(/id=1000/);
  const event = log.locator("details").first();
  await expect(event).toContainText("1000");
  await event.locator("summary").click();
  await expect(event).toContainText("UserLock");
  await expect(event).toContainText("source");
});

test("who signs out and in again is where the page was @plain", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.primary, "/sessions");
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/sign-in/);
  await page.getByLabel("Account").fill(ADMIN);
  await page.getByLabel("Password").fill(pair.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Overview");
});
