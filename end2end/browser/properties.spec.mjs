// Properties: every section on both servers, accounts with roles, tokens, sign-ins, and the history.
import { expect, test, visit } from "./fixtures.mjs";

const SECTIONS = {
  general: "General",
  agents: "Agents",
  messages: "Messages",
  email: "E-mail settings for notifications",
  database: "Database",
  notifications: "Notifications",
  security: "Security",
  retention: "Retention",
  history: "History",
  certificate: "Certificate",
  role: "Role",
};
/** Those that belong to each server: they have a form on the Backup as well. */
const OWN = ["email", "database"];
/** Those without fields to save. */
const SHOWN = ["history", "certificate", "role"];

const contents = (page) => page.locator(".with-side > .column:not(.side-column)");
const tableRow = (page, name) => page.getByRole("row").filter({ has: page.getByRole("rowheader", { name, exact: true }) });

/** That a message stands right below a field. */
async function below(message, field) {
  const [text, input] = await Promise.all([message.boundingBox(), field.boundingBox()]);
  expect(text.y - (input.y + input.height), "the way from the field to its message").toBeLessThan(24);
  expect(text.y).toBeGreaterThanOrEqual(input.y + input.height);
}

/** What a test changed, put back by the interface. */
async function putBack(pair, section, before) {
  await pair.primary.change(section, before);
}

test("every section has its page on both servers, as a form or as text with the reason", async ({ dashboard, pair }) => {
  for (const server of pair.servers) {
    const page = await dashboard(server, null);
    for (const [slug, title] of Object.entries(SECTIONS)) {
      await visit(page, `/properties/${slug}`);
      await expect(page.getByRole("heading", { level: 1 })).toHaveText(`Properties · ${title}`);
      const zoneWide = !OWN.includes(slug) && !SHOWN.includes(slug);
      const locked = server.role === "backup" && zoneWide;
      await expect(contents(page).getByRole("note")).toHaveCount(locked ? 1 : 0);
      await expect(contents(page).getByRole("button", { name: "Save", exact: true })).toHaveCount(locked || SHOWN.includes(slug) ? 0 : 1);
      if (locked && slug !== "security") await expect(contents(page).locator("input, select, textarea, button, form")).toHaveCount(0);
      if (locked) {
        const link = contents(page).getByRole("link", { name: `Open this page on ${pair.primary.name}` });
        await expect(link).toHaveAttribute("href", `${pair.primary.url}/properties/${slug}`);
      }
    }
  }
});

test("a change is saved, comes to the Backup, stands in the history and is brought back", async ({ dashboard, pair }) => {
  const before = await pair.primary.get("/api/v1/settings/agents");
  const page = await dashboard(pair.primary, "/properties/agents");
  const form = page.getByRole("form", { name: "Enrolment" });
  await form.getByLabel("Heartbeat").fill("11");
  await form.getByLabel("Reason").fill("the network is slow");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Saved. The Backup has it within seconds.")).toBeVisible();
  await pair.equal();
  const backup = await dashboard(pair.backup, "/properties/agents");
  await expect(contents(backup)).toContainText("11");

  await visit(page, "/properties/history");
  const newest = page.getByRole("table", { name: "Revisions" }).getByRole("row").nth(1);
  await expect(newest).toContainText("the network is slow");
  const n = Number(await newest.getByRole("rowheader").textContent());
  await newest.getByRole("link").click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(`Properties · Revision ${n}`);
  await expect(page.getByRole("table", { name: "Agents" })).toBeVisible();
  await expect(tableRow(page, "Heartbeat").getByRole("cell")).toHaveText([`${before.heartbeat_seconds} s`, "11 s"]);
  await putBack(pair, "agents", before);
  const others = page.getByRole("table", { name: "Compare with another revision" });
  await others.getByRole("link", { name: String(n - 1), exact: true }).click();
  await expect(page.getByText(`Compared with revision ${n - 1}.`)).toBeVisible();
  await visit(page, `/properties/history/${n}`);
  await page.getByLabel("Reason").fill("it was right");
  await page.getByRole("button", { name: `Bring back Agents as of revision ${n}` }).click();
  await expect(page.getByText(`What revision ${n} changed is back as it was then.`)).toBeVisible();
  expect((await pair.primary.get("/api/v1/settings/agents")).heartbeat_seconds).toBe(11);
  await putBack(pair, "agents", before);
});

test("a value that cannot be is refused at its field, and what was typed stays @hydrated", async ({ dashboard, pair, provoked }) => {
  const page = await dashboard(pair.primary, "/properties/general");
  provoked.push(/status of 422/);
  await page.getByLabel("Time zone").fill("Mars/Olympus");
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("kept");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("alert")).toContainText("Time zone: is no time zone that is known");
  await expect(page.getByLabel("Time zone")).toBeFocused();
  await expect(page.getByLabel("Time zone")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByLabel("Time zone")).toHaveAccessibleDescription(/is no time zone that is known/);
  await below(page.getByRole("alert"), page.getByLabel("Time zone"));
  await expect(page.getByRole("textbox", { name: "Name", exact: true })).toHaveValue("kept");
  expect((await pair.primary.get("/api/v1/settings/general")).zone_name).not.toBe("kept");
});

test("what was typed on a page stays there: no other page has it in a field of its own @hydrated", async ({ dashboard, pair }) => {
  const { zone_name: zone, time_zone: timeZone } = await pair.primary.get("/api/v1/settings/general");
  const page = await dashboard(pair.primary, "/properties/email");
  const general = page.getByRole("link", { name: "General", exact: true });
  await page.getByRole("textbox", { name: /^Server/ }).fill("mail.corp.example");
  await page.getByLabel(/^Reason/).fill("of the mail server");
  await general.click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Properties · General");
  await expect(page.getByRole("textbox", { name: "Name", exact: true })).toHaveValue(zone);
  await expect(page.getByLabel(/^Reason/)).toHaveValue("");

  await visit(page, "/properties/security");
  await page.getByRole("link", { name: "New account" }).click();
  await page.getByLabel(/^Password/).fill("correct horse");
  await page.getByLabel(/^Name/).fill("somebody");
  await page.getByLabel("operator", { exact: true }).check();
  await general.click();
  await expect(page.getByLabel("Time zone")).toHaveValue(timeZone);
  const values = await page.locator("form input").evaluateAll((inputs) => inputs.map(({ value }) => value));
  expect(values).not.toContain("correct horse");
  await expect(page.getByRole("checkbox", { checked: true })).toHaveCount(0);
});

test("after a page was saved its reason is gone, and the focus is on the button that was pressed @hydrated", async ({ dashboard, pair, provoked }) => {
  const before = await pair.primary.get("/api/v1/settings/retention");
  const page = await dashboard(pair.primary, "/properties/retention");
  const save = page.getByRole("button", { name: "Save", exact: true });
  await page.getByLabel("Application log").fill(String(before.application_log_days + 1));
  await page.getByLabel(/^Reason/).fill("this once");
  await save.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByText("Saved. The Backup has it within seconds.")).toBeVisible();
  await expect(page.getByLabel(/^Reason/)).toHaveValue("");
  await expect(page.getByLabel("Application log")).toHaveValue(String(before.application_log_days + 1));
  await expect(save).toBeFocused();

  await test.step("one that is refused for more than a field keeps it, too", async () => {
    provoked.push(/status of 4../);
    await visit(page, "/properties/security/accounts/admin");
    await page.getByLabel("administrator", { exact: true }).uncheck();
    const button = page.getByRole("button", { name: "Save account" });
    await page.getByLabel(/^I know that/).check();
    await button.focus();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("alert")).toBeVisible();
    await expect(page.locator(":focus")).toHaveCount(1);
    await expect(page.locator("body")).not.toBeFocused();
  });
  await putBack(pair, "retention", before);
});

test("a test is of what stands in the form, and shows each check in its place", async ({ dashboard, pair }) => {
  const before = await pair.backup.get("/api/v1/settings/database");
  const page = await dashboard(pair.backup, "/properties/database");
  await page.getByRole("combobox", { name: "Kind" }).selectOption("sqlite");
  await page.getByRole("textbox", { name: /^File/ }).fill("typed.sqlite");
  await page.getByRole("button", { name: "Test the database" }).click();
  const shown = page.locator("#test");
  for (const check of ["Database is reached", "TLS and certificate", "Authenticates", "Database is of no other server", "Tables can be made"]) {
    await expect(shown.getByRole("listitem").filter({ hasText: check })).toContainText("passed");
  }
  await expect(shown).toContainText("there is no such file yet");
  await expect(shown).toContainText("All 5 checks passed.");
  await expect(page.getByRole("textbox", { name: /^File/ })).toHaveValue("typed.sqlite");
  expect(await pair.backup.get("/api/v1/settings/database")).toEqual(before);

  await visit(page, "/properties/email");
  await page.getByRole("textbox", { name: /^Server/ }).fill("127.0.0.1");
  await page.getByRole("spinbutton", { name: "Port" }).fill("9");
  await page.getByLabel(/^From/).fill("userlock@corp.example");
  await page.getByLabel(/^Recipient/).fill("ops@corp.example");
  await page.getByRole("button", { name: "Send a test" }).click();
  await expect(shown.getByRole("listitem").filter({ hasText: "Connects" })).toContainText("failed");
  await expect(shown.getByRole("listitem").filter({ hasText: "Message is accepted" })).toContainText("not made");
  await expect(page.getByLabel(/^Recipient/)).toHaveValue("ops@corp.example");
  expect((await pair.backup.get("/api/v1/settings/email")).server).toBe("");
});

test("Enter in the recipient's field tests and saves nothing; in another it saves", async ({ dashboard, pair }) => {
  const before = await pair.backup.get("/api/v1/settings/email");
  const page = await dashboard(pair.backup, "/properties/email");
  await page.getByRole("textbox", { name: /^Server/ }).fill("127.0.0.1");
  await page.getByRole("spinbutton", { name: "Port" }).fill("9");
  await page.getByLabel(/^From/).fill("userlock@corp.example");
  const recipient = page.getByLabel(/^Recipient/);
  await recipient.fill("ops@corp.example");
  await recipient.press("Enter");
  await expect(page.locator("#test").getByRole("listitem").filter({ hasText: "Connects" })).toContainText("failed");
  await expect(page.getByText("Saved, for this server.")).toHaveCount(0);
  expect(await pair.backup.get("/api/v1/settings/email")).toEqual(before);
  // Without JavaScript nobody knows in which field Enter was pressed: while there is a recipient it tests.
  if (!page.scripted) await recipient.fill("");
  await page.getByRole("spinbutton", { name: "Port" }).press("Enter");
  await expect(page.getByText("Saved, for this server.")).toBeVisible();
  expect((await pair.backup.get("/api/v1/settings/email")).server).toBe("127.0.0.1");
  await pair.backup.change("email", before);
});

test("an earlier mail server is brought back by the page of its change, which asks for its password", async ({ dashboard, pair, provoked }) => {
  const before = await pair.backup.get("/api/v1/settings/email");
  const set = (server, password) => pair.backup.change("email", { server, from: "userlock@corp.example", user: "userlock", password });
  await set("one.example", "correct horse");
  await set("two.example", "better horse");
  const page = await dashboard(pair.backup, "/properties/history");
  const changes = page.getByRole("table", { name: "This server's own settings" });
  await changes.getByRole("row").nth(2).getByRole("link").click();
  const form = page.getByRole("form", { name: /^Bring back E-mail/ });
  provoked.push(/status of 422/);
  await form.getByLabel(/^Reason/).fill("it was quicker");
  await form.getByRole("button", { name: /^Bring back E-mail/ }).click();
  await expect(page.getByRole("alert").first()).toContainText("Password: must be the account's password");
  await expect(form.getByLabel(/^Reason/)).toHaveValue("it was quicker");
  await form.getByLabel(/^Password/).fill("correct horse");
  await form.getByRole("button", { name: /^Bring back E-mail/ }).click();
  await expect(page.getByText(/What change \d+ made is back\./)).toBeVisible();
  expect(await pair.backup.get("/api/v1/settings/email")).toMatchObject({ server: "one.example", password: { set: true } });
  await pair.backup.change("email", { ...before, password: "" });
});

test("who only reads the notifications sees what is told of, and the other events when they want to", async ({ dashboard, pair }) => {
  const before = await pair.primary.get("/api/v1/settings/notifications");
  await pair.primary.change("notifications", { ...before, events: [1203] });
  await pair.equal();
  const page = await dashboard(pair.backup, "/properties/notifications");
  await expect(page.getByRole("table", { name: /^Told of 1 of/ }).getByRole("rowheader")).toHaveText(["1203 sync timeout"]);
  const other = page.getByRole("rowheader", { name: "1206 sync not administrator" });
  await expect(other).toBeHidden();
  await page.locator("summary", { hasText: "Not told of" }).click();
  await expect(other).toBeVisible();
  await putBack(pair, "notifications", before);
});

test("of two who change a section at once the second is told, and nothing is overwritten @hydrated", async ({ dashboard, pair, provoked }) => {
  const before = await pair.primary.get("/api/v1/settings/retention");
  const [first, second] = [await dashboard(pair.primary, "/properties/retention"), await dashboard(pair.primary, "/properties/retention")];
  provoked.push(/status of 412/);
  const save = async (page, days) => {
    await page.getByLabel("Application log").fill(days);
    await page.getByRole("button", { name: "Save" }).click();
  };
  await save(first, "44");
  await expect(first.getByText("Saved.")).toBeVisible();
  await save(second, "55");
  await expect(second.getByRole("alert")).toContainText("What you typed stands here");
  await expect(second.getByLabel("Application log")).toHaveValue("55");
  await expect(second.getByRole("form")).toContainText("Meanwhile: 44 days");
  expect((await pair.primary.get("/api/v1/settings/retention")).application_log_days).toBe(44);
  // The one who saved goes on with what was saved.
  await save(first, String(before.application_log_days));
  await expect(first.getByText("Saved.").first()).toBeVisible();
  await expect.poll(async () => (await pair.primary.get("/api/v1/settings/retention")).application_log_days).toBe(before.application_log_days);
});

test("an account with a role of the zone's own signs in and sees what the role gives", async ({ dashboard, pair, browser, complaints }) => {
  const before = await pair.primary.get("/api/v1/settings/security");
  const page = await dashboard(pair.primary, "/properties/security");
  await test.step("the role", async () => {
    await page.getByRole("link", { name: "New role" }).click();
    await page.getByLabel("Name").fill("desk");
    await page.getByRole("combobox", { name: /^Sessions/ }).selectOption("write");
    await page.getByRole("button", { name: "Save role" }).click();
    await expect(page.getByText("The role desk is saved.")).toBeVisible();
    await expect(tableRow(page, "desk")).toContainText("sessions: read and write");
  });
  await test.step("the account", async () => {
    await page.getByRole("link", { name: "New account" }).click();
    await page.getByLabel("Name").fill("Helpdesk");
    await page.getByLabel("desk", { exact: true }).check();
    await page.getByLabel("Password").fill("correct horse battery");
    await page.getByRole("button", { name: "Save account" }).click();
    await expect(page.getByText("is saved.")).toBeVisible();
    await expect(tableRow(page, "helpdesk")).toContainText("desk");
  });
  await test.step("it signs in", async () => {
    const context = await browser.newContext({ baseURL: pair.primary.url, javaScriptEnabled: page.scripted });
    const desk = await context.newPage();
    await desk.goto("/sign-in");
    await desk.locator("[name=user]").fill("helpdesk");
    await desk.locator("[name=password]").fill("correct horse battery");
    await desk.getByRole("button", { name: "Sign in" }).click();
    await expect(desk.getByRole("heading", { level: 1 })).toHaveText("Overview");
    await desk.goto("/sessions");
    await expect(desk.getByRole("heading", { level: 1 })).toHaveText(/User sessions/);
    await desk.goto("/properties/security");
    await expect(desk.getByRole("alert")).toContainText("Your account may not");
    await visit(page, "/properties/security");
    await tableRow(page, "helpdesk").filter({ hasText: "End" }).getByRole("button", { name: "End" }).click();
    await expect(page.getByText("The sign-in has ended.")).toBeVisible();
    await desk.goto("/sessions");
    await expect(desk).toHaveURL(/\/sign-in/);
    await context.close();
  });
  await putBack(pair, "security", before);
});

test("a token is shown once, works, and is revoked", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.primary, "/properties/security/new-token");
  await page.getByLabel("Name").fill("reader");
  await page.getByLabel("Role").selectOption("read_only");
  await page.getByLabel("Ends after").fill("3");
  await page.getByRole("button", { name: "Make token" }).click();
  await expect(page.getByText("Copy it now; it is not shown again.")).toBeVisible();
  const token = /ult_[0-9a-f]+/.exec(await page.getByRole("main").textContent())[0];
  const get = (path) => page.request.get(`${pair.primary.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  expect((await get("/api/v1/sessions")).status()).toBe(200);
  await visit(page, "/properties/security");
  await expect(page.getByRole("main")).not.toContainText(token);
  await tableRow(page, "reader").getByRole("link", { name: "Revoke" }).click();
  await page.getByLabel(/^Reason/).fill("it was seen");
  await page.getByRole("button", { name: "Revoke token" }).click();
  await expect(page.getByText("The token reader is revoked.")).toBeVisible();
  expect((await get("/api/v1/sessions")).status()).toBe(401);
});

test("an enrolment string is made on a page that says what it voids, and shown once", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.primary, "/properties/agents");
  await page.getByRole("link", { name: "Make a new enrolment string" }).click();
  await expect(page.getByText("Strings from before no longer work")).toBeVisible();
  await page.getByLabel(/^Reason/).fill("the old one was lost");
  await page.getByRole("button", { name: "Make a new enrolment string" }).click();
  await expect(page.getByRole("main")).toContainText(/userlock1\.[0-9a-f]+/);
  pair.enrolBy(/userlock1\.[0-9a-f]+/.exec(await page.getByRole("main").textContent())[0]);
  await visit(page, "/properties/agents/enrolment");
  await expect(page.getByRole("main")).not.toContainText("userlock1.");
  await (await pair.machine("pc")).logOn("e.new");
});

test("what needs a reason says so, and nothing is done without", async ({ dashboard, pair }) => {
  const page = await dashboard(pair.primary, "/properties/role");
  await expect(page.getByLabel(/^Reason/)).toHaveAttribute("required", "");
  await page.getByRole("button", { name: "Remove the Backup" }).click();
  await expect(page.getByLabel(/^Reason/)).toBeFocused();
  expect((await pair.primary.state()).peer).not.toBe(null);
});

test("of two who bring a revision back and save, the second is told, and the reason stays @hydrated", async ({ dashboard, pair, provoked }) => {
  const before = await pair.primary.get("/api/v1/settings/retention");
  await pair.primary.change("retention", { ...before, application_log_days: before.application_log_days + 1 });
  const n = (await pair.primary.get("/api/v1/revisions?limit=1")).items[0].n;
  await pair.primary.change("retention", before);
  const page = await dashboard(pair.primary, `/properties/history/${n}`);
  // Another section is in nobody's way; the same one is.
  const agents = await pair.primary.get("/api/v1/settings/agents");
  await pair.primary.change("agents", { ...agents, heartbeat_seconds: agents.heartbeat_seconds + 1 });
  await putBack(pair, "agents", agents);
  await pair.primary.change("retention", { ...before, application_log_days: before.application_log_days + 2 });
  provoked.push(/status of 412/);
  await page.getByLabel(/^Reason/).fill("it was right");
  await page.getByRole("button", { name: /^Bring back Retention/ }).click();
  await expect(page.getByRole("alert").first()).toContainText("What you typed stands here");
  await expect(page.getByLabel(/^Reason/)).toHaveValue("it was right");
  await page.getByRole("button", { name: /^Bring back Retention/ }).click();
  await expect(page.getByText(`What revision ${n} changed is back as it was then.`)).toBeVisible();
  await putBack(pair, "retention", before);
});
