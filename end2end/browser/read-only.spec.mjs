// On a Backup every synchronized setting is shown and cannot be changed: not by hand, and not by a forged request.
import { expect, test, visit } from "./fixtures.mjs";
import { call } from "./parts/http.mjs";

const LIMITED = { subject: { kind: "user", name: "r.novak" }, limits: { total: 2, vpn: 0 }, reason: "of the test" };

/** All that a Backup must not change, as both servers have it. */
async function settings(pair) {
  const read = async (server) => ({
    general: await server.get("/api/v1/settings/general").then(({ role, name, version, server_name, ...zone }) => zone),
    rules: (await server.get("/api/v1/protected-accounts")).items,
    revision: (await server.state()).settings_revision,
  });
  return { primary: await read(pair.primary), backup: await read(pair.backup) };
}

async function rule(pair) {
  await pair.primary.post("/api/v1/protected-accounts", LIMITED);
  await pair.equal();
  return (await pair.backup.get("/api/v1/protected-accounts")).items[0];
}

for (const { path, texts } of [
  { path: "/properties/general", texts: ["corp.example", "most restrictive", "allow everybody"] },
  { path: "/protected-accounts", texts: ["r.novak"] },
]) {
  test(`by hand: ${path} is text with the reason and the way to the Primary`, async ({ dashboard, pair }) => {
    await rule(pair);
    const page = await dashboard(pair.backup, path);
    const contents = page.locator(".with-side > .column:not(.side-column)");
    for (const text of texts) await expect(contents).toContainText(text);
    await expect(contents.locator("input, select, textarea, button, form, [contenteditable]")).toHaveCount(0);
    const note = page.getByRole("note");
    await expect(note).toContainText(/Primary/);
    await expect(note.getByRole("link", { name: `Open this page on ${pair.primary.name}` })).toHaveAttribute("href", pair.primary.url + path);
  });
}

test("by hand: neither the form of a new rule nor that of one is there", async ({ dashboard, pair }) => {
  const { id, account } = await rule(pair);
  const page = await dashboard(pair.backup, "/protected-accounts/new");
  for (const path of ["/protected-accounts/new", `/protected-accounts/${id ?? account.id}`]) {
    await visit(page, path);
    const contents = page.locator(".with-side > .column:not(.side-column)");
    await expect(contents.getByRole("note")).toBeVisible();
    await expect(contents.locator("input, select, textarea, button, form")).toHaveCount(0);
  }
});

test("the same pages on the Primary have their forms", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.primary, "/properties/general");
  await expect(page.getByRole("form", { name: "Protected zone" }).getByRole("button", { name: "Save" })).toBeEnabled();
  await visit(page, "/protected-accounts");
  await expect(page.getByRole("link", { name: "New rule" })).toBeVisible();
});

test("by a forged request: refused, and nothing changed @hydrated", async ({ dashboard, pair, provoked }) => {
  const known = await rule(pair);
  const id = known.id ?? known.account.id;
  const before = await settings(pair);
  const page = await dashboard(pair.backup, "/");
  provoked.push(/status of 409/);

  // From a page of the Backup itself, so with the cookie and the right origin, and with the revision that was read.
  const answers = await page.evaluate(
    async ({ id, limited }) => {
      const read = await fetch("/api/v1/settings/general");
      const etag = read.headers.get("etag");
      const { role, server_name, version, ...zone } = await read.json();
      const json = (method, body) => ({ method, headers: { "content-type": "application/json", "if-match": etag }, body: JSON.stringify(body) });
      const form = (fields) => ({ method: "POST", headers: { accept: "application/json" }, body: new URLSearchParams(fields) });
      const general = {
        slug: "general", etag, "form[zone_name]": "forged", "form[policy]": "least_restrictive", "form[offline_policy]": "deny",
        "form[offline_days]": "30", "form[time_zone]": "UTC", "form[realms]": "", reason: "forged",
      };
      const rule = { etag, "form[kind]": "user", "form[name]": "forged", "form[total]": "1", reason: "forged" };
      const requests = {
        "PUT settings/general": ["/api/v1/settings/general", json("PUT", { ...zone, zone_name: "forged", reason: "forged" })],
        "PUT settings/general as read": ["/api/v1/settings/general", json("PUT", { ...zone, role, server_name, version, zone_name: "forged" })],
        "PUT settings/general without If-Match": ["/api/v1/settings/general", { method: "PUT", headers: { "content-type": "application/json" }, body: "{}" }],
        "POST protected-accounts": ["/api/v1/protected-accounts", json("POST", { ...limited, subject: { kind: "user", name: "forged" } })],
        "PUT protected-accounts": [`/api/v1/protected-accounts/${id}`, json("PUT", { ...limited, limits: { total: 99 } })],
        "DELETE protected-accounts": [`/api/v1/protected-accounts/${id}`, { method: "DELETE", headers: { "if-match": etag } }],
        "change-section": ["/fn/change-section", form(general)],
        "change-section with fields that are wrong": ["/fn/change-section", form({ ...general, "form[policy]": "none" })],
        "change-security": ["/fn/change-security", form({ slug: "security", etag, "form[session_minutes]": "5" })],
        "change-rule, a new one": ["/fn/change-rule", form({ slug: "new", ...rule })],
        "change-rule, a known one": ["/fn/change-rule", form({ slug: id, ...rule })],
        "change-rule, deleted": ["/fn/change-rule", form({ slug: `${id}/delete`, etag, reason: "forged" })],
        "restore-revision": ["/fn/restore-revision", form({ slug: "history/1", etag, reason: "forged" })],
        "make-enrolment-key": ["/fn/make-enrolment-key", form({ slug: "agents/enrolment", reason: "forged" })],
        "remove the Backup": ["/fn/change-server", form({ slug: "role/remove-backup", reason: "forged" })],
      };
      const answers = {};
      for (const [name, [path, request]] of Object.entries(requests)) {
        const answer = await fetch(path, request);
        const text = await answer.text();
        answers[name] = { status: answer.status, code: /"code":"(\w+)"/.exec(text)?.[1] ?? text.slice(0, 200) };
      }
      return answers;
    },
    { id, limited: LIMITED },
  );
  for (const [name, answer] of Object.entries(answers)) {
    expect(answer, name).toEqual({ status: 409, code: "read_only_on_backup" });
  }
  expect(await settings(pair)).toEqual(before);
});

test("by a form of another site: refused before anything else", async ({ dashboard, pair }) => {
  await rule(pair);
  const before = await settings(pair);
  const page = await dashboard(pair.backup, null);
  for (const server of pair.servers) {
    for (const path of ["/fn/change-section", "/fn/change-rule", "/fn/change-security", "/fn/synchronize-events", "/api/v1/protected-accounts"]) {
      const answer = await page.request.post(`${server.url}${path}`, {
        form: { etag: "x", "form[zone_name]": "forged", "form[policy]": "least_restrictive" },
        headers: { origin: "https://example.org" },
        maxRedirects: 0,
      });
      expect([401, 403], `${path} of the ${server.role}`).toContain(answer.status());
    }
  }
  expect(await settings(pair)).toEqual(before);
});

test("a token is refused as well, with the documented problem", async ({ pair }) => {
  const before = await settings(pair);
  const error = await call("POST", `${pair.backup.url}/api/v1/protected-accounts`, { token: pair.token, body: LIMITED }).catch((error) => error);
  expect(error.status).toBe(409);
  expect(error.message).toContain("read_only_on_backup");
  expect(await settings(pair)).toEqual(before);
});
