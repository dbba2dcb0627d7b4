// Who may see the dashboard at all.
import { ADMIN, expect, signIn, test, visit } from "./fixtures.mjs";

async function fill(page, user, password) {
  await page.getByLabel("Account").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

test("a wrong password is refused, the right one leads to the page that was asked for", async ({ stranger, pair }) => {
  await stranger.goto("/sessions?type=vpn");
  await expect(stranger).toHaveURL(/\/sign-in\?next=/);
  await expect(stranger.getByRole("heading", { level: 1 })).toHaveText("UserLock");
  await fill(stranger, ADMIN, "not the password");
  await expect(stranger.getByRole("alert")).toContainText("do not go together");
  await expect(stranger).toHaveURL(/\/sign-in\?error=invalid/);
  await fill(stranger, ADMIN, pair.password);
  await expect(stranger).toHaveURL(`${pair.primary.url}/sessions?type=vpn`);
  await expect(stranger.getByRole("heading", { level: 1 })).toHaveText("User sessions");
});

test("nobody is led to another site", async ({ stranger, pair }) => {
  await stranger.goto("/sign-in?next=https://example.org/");
  await fill(stranger, ADMIN, pair.password);
  await expect(stranger).toHaveURL(`${pair.primary.url}/`);
});

test("signing out ends it", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.primary);
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/sign-in/);
  await page.goto("/sessions");
  await expect(page).toHaveURL(/\/sign-in\?next=/);
});

test("one browser stays signed in on both servers", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.primary);
  await signIn(page.context(), pair.backup, pair.password);
  await visit(page, `${pair.backup.url}/sessions`);
  await expect(page).toHaveURL(`${pair.backup.url}/sessions`);
  await visit(page, `${pair.primary.url}/sessions`);
  await expect(page).toHaveURL(`${pair.primary.url}/sessions`);
});
