// What an administrator does with sessions: log off and reset, one and many.
import { expect, row, test } from "./fixtures.mjs";
import { until } from "./parts/programs.mjs";

const menu = (page) => page.getByRole("menu", { name: "Actions on the session" });

async function confirm(page, heading, reason) {
  const dialog = page.getByRole("dialog", { name: heading });
  await expect(dialog).toBeVisible();
  const button = dialog.getByRole("button", { name: heading });
  await button.click();
  await expect(dialog, "a reason is needed").toBeVisible();
  await dialog.getByLabel("Reason").fill(reason);
  await button.click();
  await expect(dialog).toBeHidden();
}

test("log off from the context menu: the machine ends the session @hydrated", async ({ dashboard, pair }) => {
  const machine = await pair.machine("pc");
  await machine.logOn("a.ends", "a.stays");
  const page = await dashboard(pair.primary, "/sessions");
  const obeyed = machine.obey();
  await row(page, "a.ends").click({ button: "right" });
  await menu(page).getByRole("menuitem", { name: "Log off…" }).click();
  await expect(page.getByRole("dialog")).toContainText(`a.ends on ${machine.machine}`);
  await confirm(page, "Log off 1 session", "end of the shift");
  await expect(page.locator(".notices")).toContainText(/\S/);
  const [command] = await obeyed;
  expect(command).toMatchObject({ action: "logoff", reason: "end of the shift", by: "admin" });
  await expect(row(page, "a.ends")).toHaveCount(0);
  await expect(row(page, "a.stays")).toBeVisible();
});

test("log off from the Backup reaches the machine as well @hydrated", async ({ dashboard, pair }) => {
  const machine = await pair.machine("pc");
  await machine.logOn("a.far");
  const page = await dashboard(pair.backup, "/sessions");
  const obeyed = machine.obey();
  await row(page, "a.far").getByRole("button", { name: /Actions for a\.far/ }).click();
  await menu(page).getByRole("menuitem", { name: "Log off…" }).click();
  await confirm(page, "Log off 1 session", "from the other server");
  expect(await obeyed).toHaveLength(1);
  await expect(row(page, "a.far")).toHaveCount(0);
});

test("reset of a dead machine's session: forgotten on both servers @hydrated", async ({ dashboard, pair }) => {
  const machine = await pair.machine("dead");
  const [session] = await machine.logOn("a.dead");
  const page = await dashboard(pair.primary, "/sessions");
  await row(page, "a.dead").click({ button: "right" });
  await menu(page).getByRole("menuitem", { name: "Reset…" }).click();
  await expect(page.getByRole("dialog")).toContainText("It ends nothing on the machine");
  await confirm(page, "Reset 1 session", "the machine burnt down");
  await expect(row(page, "a.dead")).toHaveCount(0);
  await until("the Backup forgets it too", () => pair.backup.users(machine.machine), (users) => users.length === 0);

  // It was not dead after all: later evidence brings the session back.
  await machine.lock(session);
  await expect(row(page, "a.dead")).toContainText("locked");
});

test("several at once from the bar above the list @hydrated", async ({ dashboard, pair }) => {
  const machine = await pair.machine("pc");
  await machine.logOn("b.one", "b.two", "b.three");
  const page = await dashboard(pair.primary, "/sessions");
  await page.getByRole("checkbox", { name: /Select b\.one/ }).check();
  await page.getByRole("checkbox", { name: /Select b\.three/ }).check();
  const bar = page.getByRole("group", { name: "Actions on the selected sessions" });
  await expect(bar).toContainText("2 selected");
  await bar.getByRole("button", { name: "Reset…" }).click();
  for (const user of ["b.one", "b.three"]) await expect(page.getByRole("dialog")).toContainText(user);
  await confirm(page, "Reset 2 sessions", "a clean start");
  await expect(page.locator(".notices")).toContainText("2 sessions are forgotten.");
  await expect(page.getByRole("rowheader")).toHaveText(["b.two"]);
  await expect(bar).toHaveCount(0);

  const obeyed = machine.obey();
  await page.getByRole("checkbox", { name: "Select all rows of this page" }).check();
  await bar.getByRole("button", { name: "Log off…" }).click();
  await confirm(page, "Log off 1 session", "the office closes");
  expect(await obeyed).toHaveLength(1);
  await expect(page.getByRole("heading", { name: "No sessions yet" })).toBeVisible();
});

test("a dialog that is left changes nothing @hydrated", async ({ dashboard, pair }) => {
  const machine = await pair.machine("pc");
  await machine.logOn("b.safe");
  const page = await dashboard(pair.primary, "/sessions");
  for (const leave of [() => page.keyboard.press("Escape"), () => page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click()]) {
    await row(page, "b.safe").click({ button: "right" });
    await menu(page).getByRole("menuitem", { name: "Reset…" }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill("never");
    await leave();
    await expect(page.getByRole("dialog")).toBeHidden();
  }
  expect(await pair.primary.users(machine.machine)).toEqual(["b.safe"]);
});
