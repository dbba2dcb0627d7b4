// Both synchronizations by hand, from each of the three places, and what they report.
import { box, expect, test, visit } from "./fixtures.mjs";
import { until } from "./parts/programs.mjs";

/** A place from which both synchronizations are started: how, and where each tells what it did. */
const PLACES = {
  "Quick access": {
    path: "/",
    async events(page) {
      const panel = page.getByRole("region", { name: "Quick access" });
      await panel.getByRole("button", { name: "Synchronize events" }).click();
      return panel;
    },
    async sessions(page) {
      await page.getByRole("region", { name: "Quick access" }).getByRole("button", { name: "Synchronize sessions…" }).click();
      return page.getByRole("dialog", { name: "Synchronize sessions" });
    },
  },
  "the server's context menu": {
    path: "/",
    async events(page) {
      await box(page, "Backup").click({ button: "right", position: { x: 60, y: 20 } });
      await menu(page).getByRole("menuitem", { name: "Synchronize events" }).click();
      await expect(menu(page)).toBeHidden();
      return page.locator(".notices");
    },
    // By the keyboard, from the server's name in the header.
    async sessions(page) {
      await page.locator(".server-name").getByRole("link").focus();
      await page.keyboard.press("Shift+F10");
      await expect(menu(page).getByRole("menuitem").first()).toBeFocused();
      await page.keyboard.press("ArrowDown");
      await expect(menu(page).getByRole("menuitem", { name: "Synchronize sessions…" })).toBeFocused();
      await page.keyboard.press("Enter");
      return page.getByRole("dialog", { name: "Synchronize sessions" });
    },
  },
  "Properties > Synchronization": {
    path: "/properties/synchronization",
    async events(page) {
      const section = page.getByRole("region", { name: "Synchronize events" });
      await section.getByRole("button", { name: "Synchronize events" }).click();
      return section;
    },
    async sessions(page) {
      const section = page.getByRole("region", { name: "Synchronize sessions" });
      await section.getByRole("button", { name: "Preview" }).click();
      return section;
    },
  },
};

const menu = (page) => page.getByRole("menu", { name: "Actions of this server" }).filter({ visible: true });

/** Continuous off and 24 h, by the form; then nothing comes by itself. */
async function onlyByHand(page) {
  await visit(page, "/properties/synchronization");
  const form = page.getByRole("form", { name: "Primary server" });
  await form.getByLabel("also between two runs").uncheck();
  await form.getByRole("spinbutton", { name: "Interval" }).fill("24");
  await form.getByLabel("Unit of the interval").selectOption("hours");
  await form.getByLabel("Reason").fill("the test does it by hand");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Saved. It holds from now on.")).toBeVisible();
}

for (const [name, place] of Object.entries(PLACES)) {
  test(`both synchronizations from ${name} @hydrated`, async ({ dashboard, pair }) => {
    const [desk, gateway] = [await pair.machine("pc"), await pair.machine("vpn")];
    const [early, late, staying] = await desk.logOn("t.early", "t.late", "t.staying");
    await pair.equal();
    const page = await dashboard(pair.backup, null);
    await onlyByHand(page);
    const section = await pair.backup.get("/api/v1/settings/synchronization");
    expect(section).toMatchObject({ continuous: false, interval_seconds: 86_400, enabled: true });
    const begun = (await pair.backup.state()).position;

    await test.step("3 logons and 1 logoff are made at the Primary and do not come by themselves", async () => {
      await gateway.logOn({ user: "t.berg", type: "vpn" }, { user: "t.nowak", type: "vpn" }, { user: "t.sato", type: "vpn" });
      await desk.logOff(early);
      await visit(page, place.path);
      if (place.path === "/") await expect(page.locator(".link")).toContainText("4 events behind");
      else await expect(page.getByRole("region", { name: "State" })).toContainText("4 events behind");
      expect((await pair.backup.state()).position).toBe(begun);
      expect(await pair.backup.users(gateway.machine)).toEqual([]);
    });

    await test.step("Synchronize events reports them", async () => {
      const told = await place.events(page);
      await expect(told).toContainText(/4 events applied, 0 pushed, settings unchanged at revision 1\.\d+/);
      expect(await pair.backup.users(gateway.machine)).toEqual(["t.berg", "t.nowak", "t.sato"]);
      expect(await pair.backup.users(desk.machine)).toEqual(["t.late", "t.staying"]);
      const { history } = await pair.backup.get("/api/v1/synchronization");
      expect(history[0]).toMatchObject({ kind: "events", state: "succeeded", by: "admin" });
      expect(history[0].events).toMatchObject({ applied: 4, pushed: 0, applied_by_kind: { logon: 3, logoff: 1 } });
    });

    await test.step("the preview of Synchronize sessions names each session, and changes nothing", async () => {
      await gateway.logOn({ user: "t.added", type: "vpn" }, { user: "t.other", type: "vpn" });
      await desk.lock(staying);
      await desk.logOff(late);
      await until("the Backup knows of 4 events that it lacks", () => pair.backup.state(), ({ peer }) => peer.lag_events === 4);
      const shown = await place.sessions(page);
      await expect(shown).toContainText("Nothing has changed yet.");
      await differs(shown);
      await expect(shown).toContainText("3 sessions are equal.");
      expect(await pair.backup.users(gateway.machine)).toEqual(["t.berg", "t.nowak", "t.sato"]);
    });

    await test.step("the run reports the same", async () => {
      const shown = page.locator(".sessions-sync").filter({ visible: true }).last();
      await shown.getByRole("button", { name: "Synchronize sessions" }).click();
      await expect(shown).toContainText("2 added, 1 changed, 1 closed, 3 equal");
      await differs(shown);
      expect(await pair.backup.users(gateway.machine)).toEqual(["t.added", "t.berg", "t.nowak", "t.other", "t.sato"]);
      expect(await pair.backup.users(desk.machine)).toEqual(["t.staying"]);
    });

    await test.step("the last runs tell it too", async () => {
      await page.keyboard.press("Escape");
      await visit(page, "/properties/synchronization");
      const runs = page.getByRole("region", { name: "Last runs", exact: true });
      await expect(runs).toContainText("2 added, 1 changed, 1 closed, 3 equal");
      await expect(runs).toContainText("2 would be added, 1 changed, 1 closed, 3 equal");
      await expect(runs).toContainText("4 events applied");
    });
  });
}

async function differs(shown) {
  const rows = shown.getByRole("row").filter({ has: shown.page().getByRole("rowheader") });
  await expect(rows).toHaveCount(4);
  const line = (user) => rows.filter({ has: shown.page().getByRole("rowheader", { name: user, exact: true }) });
  await expect(line("t.added")).toContainText(/add.*open since/s);
  await expect(line("t.other")).toContainText(/add.*open since/s);
  await expect(line("t.staying")).toContainText(/change.*open.*locked/s);
  await expect(line("t.late")).toContainText(/close/);
}

test("starting one twice at once runs it once @hydrated", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.backup, "/");
  const before = (await pair.backup.get("/api/v1/synchronization")).history.filter(({ by }) => by === "admin").length;
  const [one, two] = await page.evaluate(() =>
    Promise.all(
      [1, 2].map(() => fetch("/api/v1/synchronization/events", { method: "POST" }).then((answer) => answer.json())),
    ),
  );
  expect(typeof one.run).toBe("string");
  const runs = new Set([one.run, two.run]).size;
  const { history } = await until(
    "the runs have ended",
    () => pair.backup.get("/api/v1/synchronization"),
    ({ history, running }) => running.length === 0 && history.filter(({ by }) => by === "admin").length > before,
  );
  expect(history.filter(({ by }) => by === "admin")).toHaveLength(before + runs);
});

test("the connection is tested check by check @hydrated", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.backup, "/");
  await page.getByRole("region", { name: "Quick access" }).getByRole("button", { name: "Test connection" }).click();
  const dialog = page.getByRole("dialog", { name: "Test connection" });
  await expect(dialog).toContainText("The connection is in order");
  for (const check of ["Name is resolved", "Connects", "Authenticates", "Is a Primary", "Same protected zone", "Account is an administrator there", "Version fits", "Clocks agree"]) {
    await expect(dialog.getByRole("listitem").filter({ hasText: check })).toContainText("passed");
  }
});

test("the Primary says where synchronization is started", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.primary, "/");
  const panel = page.getByRole("region", { name: "Quick access" });
  await expect(panel.getByRole("button", { name: /Synchronize/ })).toHaveCount(0);
  await expect(panel.getByRole("link", { name: `Open ${pair.backup.name}` })).toHaveAttribute("href", `${pair.backup.url}/`);
});

test("an interval that cannot be is refused at its field @hydrated", async ({ dashboard, pair, provoked }) => {
  const page = await dashboard(pair.backup, "/properties/synchronization");
  const form = page.getByRole("form", { name: "Primary server" });
  await form.getByRole("spinbutton", { name: "Interval" }).fill("25");
  await form.getByLabel("Unit of the interval").selectOption("hours");
  provoked.push(/422/);
  await form.getByRole("button", { name: "Save" }).click();
  await expect(form.getByRole("alert")).toContainText("from 1 second to 24 hours");
  await expect(form.getByRole("spinbutton", { name: "Interval" })).toHaveAttribute("aria-invalid", "true");
  await expect(form.getByRole("spinbutton", { name: "Interval" })).toHaveAccessibleDescription(/from 1 second to 24 hours/);
  expect((await pair.backup.get("/api/v1/settings/synchronization")).interval_seconds).toBe(60);
});
