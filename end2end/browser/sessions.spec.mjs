// The list of sessions, live.
import { expect, row, test } from "./fixtures.mjs";

const PAGE = "the page has not been loaded again";

test("a session appears and disappears without a reload, on both servers @hydrated", async ({ dashboard, pair }) => {
  const machine = await pair.machine("pc");
  const pages = [await dashboard(pair.primary, "/sessions"), await dashboard(pair.backup, "/sessions")];
  for (const page of pages) await page.evaluate((mark) => (window.mark = mark), PAGE);

  const [session] = await machine.logOn({ user: "CORP\\a.okafor", type: "workstation", client_name: "LT-0042", client_address: "10.1.2.3" });
  for (const page of pages) {
    const shown = row(page, "CORP\\a.okafor");
    await expect(shown).toBeVisible();
    for (const text of ["workstation", "open", machine.machine, "LT-0042", "10.1.2.3"]) await expect(shown).toContainText(text);
    await expect(page.getByRole("navigation", { name: "Pages", exact: true }).getByRole("link", { name: /^User sessions/ })).toContainText("1");
  }
  await machine.lock(session);
  for (const page of pages) await expect(row(page, "CORP\\a.okafor")).toContainText("locked");

  await machine.logOff(session);
  for (const page of pages) await expect(row(page, "CORP\\a.okafor")).toHaveCount(0);
  for (const page of pages) expect(await page.evaluate(() => window.mark)).toBe(PAGE);
});

test("what is selected stays while others come and go @hydrated", async ({ dashboard, pair }) => {
  const machine = await pair.machine("pc");
  await machine.logOn("m.first", "m.second");
  const page = await dashboard(pair.primary, "/sessions");
  await page.getByRole("checkbox", { name: /Select m\.second/ }).check();
  const [passing] = await machine.logOn("m.between");
  await expect(row(page, "m.between")).toBeVisible();
  await machine.logOff(passing);
  await expect(row(page, "m.between")).toHaveCount(0);
  await expect(page.getByRole("checkbox", { name: /Select m\.second/ })).toBeChecked();
  await expect(page.getByRole("checkbox", { name: /Select m\.first/ })).not.toBeChecked();
  await expect(page.getByRole("group", { name: "Actions on the selected sessions" })).toContainText("1 selected");
});

test("typing searches, choosing filters, and the address says so @hydrated", async ({ dashboard, pair }) => {
  const machine = await pair.machine("pc");
  await machine.logOn("p.anna", { user: "p.ben", type: "vpn" }, { user: "p.carl", type: "vpn" });
  const page = await dashboard(pair.primary, "/sessions");
  await expect(row(page, "p.carl")).toBeVisible();
  await page.getByRole("searchbox").fill("p.c");
  await expect(row(page, "p.ben")).toHaveCount(0);
  await expect(row(page, "p.carl")).toBeVisible();
  await expect(page).toHaveURL(/q=p\.c/);
  await page.getByRole("searchbox").fill("");
  await page.getByLabel("Type").selectOption("vpn");
  await expect(row(page, "p.anna")).toHaveCount(0);
  await expect(row(page, "p.ben")).toBeVisible();
  await expect(page).toHaveURL(/type=vpn/);
  await page.getByRole("link", { name: "Clear" }).click();
  await expect(row(page, "p.anna")).toBeVisible();

  // A shared link shows the same list.
  const link = await dashboard(pair.backup, "/sessions?type=vpn&sort=-user");
  await expect(link.getByRole("rowheader")).toHaveText(["p.carl", "p.ben"]);
});

test("a column sorts, and once more the other way", async ({ dashboard, pair }) => {
  const machine = await pair.machine("pc");
  await machine.logOn("s.one", "s.two", "s.three");
  const page = await dashboard(pair.primary, "/sessions");
  await expect(page.getByRole("rowheader")).toHaveText(["s.one", "s.three", "s.two"]);
  await expect(page.getByRole("columnheader", { name: "User" })).toHaveAttribute("aria-sort", "ascending");
  await page.getByRole("columnheader", { name: "User" }).getByRole("link").click();
  await expect(page.getByRole("rowheader")).toHaveText(["s.two", "s.three", "s.one"]);
  await expect(page.getByRole("columnheader", { name: "User" })).toHaveAttribute("aria-sort", "descending");
});

test("an empty list says how to enrol the first machine", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.primary, "/sessions");
  await expect(page.getByRole("heading", { name: "No sessions yet" })).toBeVisible();
  await expect(page.getByText("userlock-agent enrol")).toBeVisible();
  const machine = await pair.machine("pc");
  await machine.logOn("e.first");
  await page.goto("/sessions?q=nobody-is-called-so");
  await expect(page.getByRole("heading", { name: "No session fits" })).toBeVisible();
});

test("pages of the list are links", async ({ dashboard, pair }) => {
  const machine = await pair.machine("hall");
  const people = Array.from({ length: 60 }, (_, n) => ({ user: `u.${String(n).padStart(2, "0")}`, type: "wifi" }));
  await machine.logOn(...people);
  const page = await dashboard(pair.primary, "/sessions");
  const pages = page.getByRole("navigation", { name: "Pages of the list" });
  await expect(pages).toContainText("1–50 of 60");
  await pages.getByRole("link", { name: "Next page" }).click();
  await expect(pages).toContainText("51–60 of 60");
  await expect(page.getByRole("rowheader")).toHaveText(people.slice(50).map(({ user }) => user));
  await pages.getByRole("link", { name: "First page" }).click();
  await expect(pages).toContainText("1–50 of 60");
});
