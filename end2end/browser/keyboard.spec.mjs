// Everything by the keyboard alone; the focus is visible and never lost.
import { ADMIN, box, expect, ready, row, test } from "./fixtures.mjs";

const focused = (page) => page.locator(":focus");

test("from the sign-in to a session's details without a mouse @hydrated", async ({ stranger: page, pair }) => {
  const machine = await pair.machine("pc");
  await machine.logOn("k.one", "k.two", "k.three");
  await page.goto("/");
  await expect(page.getByLabel("Account")).toBeFocused();
  await page.keyboard.type(ADMIN);
  await page.keyboard.press("Tab");
  await page.keyboard.type(pair.password);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(`${pair.primary.url}/`);
  await ready(page);

  await test.step("the first stop skips to the contents", async () => {
    await page.keyboard.press("Tab");
    await expect(page.getByRole("link", { name: "Skip to the contents" })).toBeFocused();
    await expect(page.getByRole("link", { name: "Skip to the contents" })).toBeInViewport();
    await page.keyboard.press("Enter");
    await expect(page.locator("#main")).toBeFocused();
  });

  await test.step("to the sessions, by the navigation", async () => {
    await page.getByRole("link", { name: /^User sessions/ }).focus();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { level: 1, name: "User sessions" })).toBeVisible();
    await expect(row(page, "k.one")).toBeVisible();
  });

  await test.step("/ searches", async () => {
    await page.keyboard.press("/");
    await expect(page.getByRole("searchbox")).toBeFocused();
    await page.keyboard.type("k.t/");
    await expect(page.getByRole("searchbox")).toHaveValue("k.t/");
    await page.keyboard.press("Backspace");
    await expect(page.getByRole("rowheader")).toHaveText(["k.three", "k.two"]);
  });

  await test.step("arrows move, space selects, Enter opens the details, Escape closes them", async () => {
    await row(page, "k.three").focus();
    await page.keyboard.press("ArrowDown");
    await expect(row(page, "k.two")).toBeFocused();
    await page.keyboard.press("Space");
    await expect(page.getByRole("checkbox", { name: /Select k\.two/ })).toBeChecked();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: `k.two on ${machine.machine}` });
    await expect(dialog).toContainText("Logon");
    await page.keyboard.press("Escape");
    await expect(dialog).toBeHidden();
    await expect(row(page, "k.two")).toBeFocused();
  });

  await test.step("Shift+F10 opens the menu, Escape closes it and gives the focus back", async () => {
    await page.keyboard.press("Shift+F10");
    const menu = page.getByRole("menu", { name: "Actions on the session" });
    await expect(menu.getByRole("menuitem", { name: /Details/ })).toBeFocused();
    await page.keyboard.press("ArrowDown");
    await expect(menu.getByRole("menuitem", { name: "Log off…" })).toBeFocused();
    await page.keyboard.press("End");
    await page.keyboard.press("Home");
    await expect(menu.getByRole("menuitem", { name: /Details/ })).toBeFocused();
    await page.keyboard.press("Escape");
    await expect(menu).toBeHidden();
    await expect(row(page, "k.two")).toBeFocused();
  });

  await test.step("the menu's entry, the reason, Enter: the session is forgotten", async () => {
    await page.keyboard.press("Shift+F10");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Reset 1 session" });
    await expect(dialog.getByLabel("Reason")).toBeFocused();
    await page.keyboard.type("by the keyboard");
    await page.keyboard.press("Enter");
    await expect(dialog).toBeHidden();
    await expect(row(page, "k.two")).toHaveCount(0);
    await expect(focused(page)).toHaveCount(1);
  });
});

test("the server's menu by the keyboard, from its box and from its button @hydrated", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.backup, "/");
  const menu = page.getByRole("menu", { name: "Actions of this server" }).filter({ visible: true });
  await box(page, "Backup").focus();
  await page.keyboard.press("Shift+F10");
  await expect(menu.getByRole("menuitem")).toHaveText([/Synchronize events/, /Synchronize sessions/, /Test connection/, /Properties/, /Application log/]);
  await expect(menu.getByRole("menuitem").first()).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(menu).toHaveCount(0);
  await expect(box(page, "Backup")).toBeFocused();

  const button = page.locator(".server-name summary");
  await button.focus();
  await page.keyboard.press("Enter");
  await expect(menu.getByRole("menuitem").first()).toBeFocused();
  await page.keyboard.press("End");
  await expect(menu.getByRole("menuitem").last()).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Application log");
});

test("the focus can be seen wherever it is @hydrated", async ({ dashboard, pair }) => {
  const machine = await pair.machine("pc");
  await machine.logOn("k.seen");
  const page = await dashboard(pair.primary, "/sessions");
  const seen = [];
  for (let stop = 0; stop < 40; stop += 1) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const style = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
      // A field of which only its label is drawn shows the focus there.
      const around = element.closest("label, .search, th, td");
      const lit = around && getComputedStyle(around).outlineStyle !== "none";
      const sized = box.width > 1 && box.height > 1;
      return { what: `${element.tagName} ${element.getAttribute("aria-label") ?? element.textContent.trim().slice(0, 40)}`, shown: outlined || style.boxShadow !== "none" || Boolean(lit), sized };
    });
    if (now === null) break;
    seen.push(now);
  }
  expect(seen.length).toBeGreaterThan(8);
  expect(seen.filter(({ shown }) => !shown)).toEqual([]);
});
