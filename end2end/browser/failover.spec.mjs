// The picture of the pair while the Primary dies and comes back.
import { box, expect, row, test, visit } from "./fixtures.mjs";
import { until } from "./parts/programs.mjs";

test("the picture changes to Primary down, Backup up, and back @hydrated", async ({ dashboard, pair, provoked }) => {
  // The Primary's page is left open while its server is killed: its stream breaks, which is the point.
  provoked.push(/ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)/);
  const machine = await pair.machine("pc");
  const [before] = await machine.logOn("f.before");
  await pair.equal();
  const primary = await dashboard(pair.primary, "/");
  const backup = await dashboard(pair.backup, "/");
  for (const page of [primary, backup]) {
    await expect(box(page, "Primary")).toContainText("Primary server — serving");
    await expect(box(page, "Backup")).toContainText("Backup server — standby");
    await expect(page.locator(".certificate")).toContainText("Lists are equal");
    await expect(answer(page, "Is the zone watched?")).toHaveText("Yes");
    await expect(answer(page, "Are the two lists equal?")).toHaveText("Yes");
  }

  await test.step("the Primary is killed", async () => {
    await pair.primary.kill();
    await expect(box(backup, "Primary")).toContainText("Primary server — down", { timeout: 15_000 });
    await expect(box(backup, "Primary")).toContainText("silent for");
    await expect(box(backup, "Backup")).toContainText(/Backup server — (stands in|has taken over)/);
    await expect(answer(backup, "Is the zone watched?")).toHaveText("Yes, without its Primary");
    await expect(answer(backup, "By which server?")).toHaveText("This Backup");
    await expect(backup.locator(".certificate")).toContainText("Lists may differ");
    // What a page shows of a server that is gone is marked as old.
    await expect(primary.locator(".freshness")).toContainText("not live since");
  });

  await test.step("the list stays live at the Backup", async () => {
    await visit(backup, "/sessions");
    await machine.logOn("f.meanwhile");
    await expect(row(backup, "f.meanwhile")).toBeVisible();
    await machine.logOff(before);
    await expect(row(backup, "f.before")).toHaveCount(0);
    await visit(backup, "/");
    await expect(box(backup, "Backup")).toContainText("has taken over", { timeout: 20_000 });
  });

  await test.step("the Primary is started again", async () => {
    await pair.primary.start();
    for (const page of [backup, primary]) {
      await expect(box(page, "Primary")).toContainText("Primary server — serving", { timeout: 30_000 });
      await expect(box(page, "Backup")).toContainText("Backup server — standby");
      await expect(page.locator(".certificate")).toContainText("Lists are equal", { timeout: 15_000 });
      await expect(answer(page, "Is the zone watched?")).toHaveText("Yes");
    }
    await expect(primary.locator(".freshness")).toContainText("live");
  });

  await test.step("both lists tell what happened meanwhile", async () => {
    for (const page of [backup, primary]) {
      await visit(page, "/sessions");
      await expect(row(page, "f.meanwhile")).toBeVisible();
      await expect(row(page, "f.before")).toHaveCount(0);
    }
    for (const server of pair.servers) {
      const { items } = await server.get("/api/v1/events?limit=500");
      const of = items.filter((event) => event.machine === machine.machine).map((event) => `${event.origin ?? ""} ${JSON.stringify(event.id)}`);
      expect(new Set(of).size).toBe(of.length);
      expect(items.filter((event) => event.machine === machine.machine && ["logon", "logoff"].includes(event.kind))).toHaveLength(3);
    }
  });

  await test.step("the application log of the Backup tells it too", async () => {
    await visit(backup, "/application-log");
    const log = backup.getByRole("region", { name: "Events, the newest first" });
    await expect(log).toContainText(/Primary/);
    await until("a warning or an error of the Backup", () => pair.backup.get("/api/v1/application-log?level=warning"), ({ items }) => items.length > 0);
  });
});

const answer = (page, question) => page.locator(".answers > div").filter({ has: page.getByText(question, { exact: true }) }).getByRole("definition").first();
