// Each page, light and dark, on a telephone and on a desk: what a machine can check of accessibility, and nothing that is
// too wide for the window.
import { AxeBuilder } from "@axe-core/playwright";
import { expect, row, test, visit } from "./fixtures.mjs";

/** Where somebody or something of Security is made, changed and lost. */
const SECURITY = ["new-account", "accounts/admin", "accounts/admin/delete", "new-role", "new-token"];
const WIDTHS = [1440, 360];
const SCHEMES = ["light", "dark"];
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

test.describe.configure({ timeout: 240_000 });

/** Looks at the page as it is, in each size and colour; what is wrong with it. */
async function look(page, what) {
  const wrong = [];
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: width === 360 ? 740 : 900 });
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      // Dark is the same page in other colours.
      const runOnly = colorScheme === "light" ? TAGS : ["color-contrast"];
      const { violations } = await new AxeBuilder({ page }).options({ runOnly, resultTypes: ["violations"] }).analyze();
      for (const { id, impact, nodes } of violations) {
        const [node] = nodes;
        const why = (node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? "";
        wrong.push(`${what}, ${colorScheme}, ${width} px: ${impact} ${id}, ${nodes.length} times, first at ${node.target.join(" ")}: ${why}`);
      }
    }
    const wide = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      if (scrollWidth <= clientWidth) return [];
      const over = [...document.body.querySelectorAll("*")].filter((element) => element.getBoundingClientRect().right > clientWidth + 1);
      return [`${scrollWidth} > ${clientWidth}`, ...over.slice(0, 5).map((element) => `${element.tagName}.${element.className?.baseVal ?? element.className}`)];
    });
    if (wide.length > 0) wrong.push(`${what}: wider than ${width} px: ${wide.join(", ")}`);
  }
  expect.soft(wrong, what).toEqual([]);
}

async function people(pair) {
  const machine = await pair.machine("pc-with-a-rather-long-name.sales.corp.example");
  const sessions = await machine.logOn(
    { user: "CORP\\a.name-that-is-long", type: "workstation", client_name: "LT-0042", client_address: "2001:db8:85a3::8a2e:370:7334" },
    { user: "x.two", type: "vpn", client_address: "198.51.100.7" },
    "x.three",
  );
  await machine.lock(sessions[2]);
  await pair.primary.post("/api/v1/protected-accounts", { subject: { kind: "user", name: "x.two" }, limits: { total: 2, vpn: 0 } });
  await pair.equal();
  return machine;
}

test("sign in @hydrated", async ({ stranger }) => {
  await stranger.goto("/sign-in?error=invalid");
  await look(stranger, "sign in");
});

for (const role of ["primary", "backup"]) {
  test(`the pages of the ${role} @hydrated`, async ({ dashboard, pair }) => {
    await people(pair);
    const page = await dashboard(pair[role], null);
    const rule = (await pair[role].get("/api/v1/protected-accounts")).items[0];
    // Of the Backup those that are other than the Primary's.
    const paths = ["/", "/protected-accounts", "/properties/general", "/properties/synchronization", "/properties/email"];
    const own = ["/account", "/properties/security/accounts/admin", "/properties/notifications", "/properties/messages"];
    const all = [
      ...["agents", "messages", "database", "notifications", "retention", "role", "certificate", "history", "security"].map((slug) => `/properties/${slug}`),
      ...SECURITY.map((part) => `/properties/security/${part}`),
      ...["/properties/history/1", "/account", "/sessions", "/application-log", "/protected-accounts/new", `/protected-accounts/${rule.id ?? rule.account.id}`, `/protected-accounts/${rule.id ?? rule.account.id}/delete`, "/properties/agents/enrolment"],
    ];
    paths.push(...(role === "primary" ? all : own));
    for (const path of paths) {
      await page.setViewportSize({ width: 1440, height: 900 });
      await visit(page, path);
      await look(page, `${role} ${path.replace(/[0-9a-f]{32}/, "…")}`);
    }
  });
}

test("menus and dialogs @hydrated", async ({ dashboard, pair }) => {
  await people(pair);
  const page = await dashboard(pair.backup, "/sessions");
  await test.step("the menu of a session", async () => {
    await row(page, "x.two").click({ button: "right" });
    await expect(page.getByRole("menu", { name: "Actions on the session" })).toBeVisible();
    await look(page, "the menu of a session");
    await page.setViewportSize({ width: 1440, height: 900 });
  });
  await test.step("the dialog of an action", async () => {
    await page.keyboard.press("Escape");
    await row(page, "x.two").click({ button: "right" });
    await page.getByRole("menuitem", { name: "Reset…" }).click();
    await expect(page.getByRole("dialog")).toBeVisible();
    await look(page, "the dialog of an action");
    await page.keyboard.press("Escape");
    await page.setViewportSize({ width: 1440, height: 900 });
  });
  await test.step("the preview of Synchronize sessions", async () => {
    await page.getByRole("button", { name: "Synchronize sessions…" }).click();
    await expect(page.getByRole("dialog")).toContainText("equal");
    await look(page, "the preview");
    await page.keyboard.press("Escape");
    await page.setViewportSize({ width: 1440, height: 900 });
  });
  await test.step("the server's menu", async () => {
    await page.locator(".server-name summary").click();
    await expect(page.getByRole("menuitem", { name: "Synchronize events" })).toBeVisible();
    await look(page, "the server's menu");
  });
});

test("a form that was refused, and a secret that is shown @hydrated", async ({ dashboard, pair, provoked }) => {
  provoked.push(/status of 422/);
  const before = await pair.primary.get("/api/v1/settings/security");
  const page = await dashboard(pair.primary, "/properties/general");
  await page.getByLabel("Time zone").fill("Mars/Olympus");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("alert")).toContainText("Time zone");
  await look(page, "a form that was refused");
  await page.setViewportSize({ width: 1440, height: 900 });
  await visit(page, "/properties/security/new-token");
  await page.getByLabel("Name").fill("of the test");
  await page.getByRole("button", { name: "Make token" }).click();
  await expect(page.getByText("Copy it now; it is not shown again.")).toBeVisible();
  await look(page, "a secret that is shown");
  await pair.primary.change("security", before);
});

test("while the Primary is down @hydrated", async ({ dashboard, pair }) => {
  await people(pair);
  const page = await dashboard(pair.backup, "/");
  await pair.primary.kill();
  await expect(page.getByRole("group", { name: /Primary server — down/ })).toBeVisible({ timeout: 15_000 });
  await look(page, "the Overview with the Primary down");
});
