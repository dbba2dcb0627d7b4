// From two empty folders to a working pair by the Configuration wizard alone, over TLS; and what it says when something
// is wrong. Every page is looked at without JavaScript too: the wizard has none.
import { mkdirSync, mkdtempSync, rmSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "@playwright/test";
import { freePort, tail, until } from "./parts/programs.mjs";
import { EmptyServer, Way, ask, otherPrimary, problem, strangeServer } from "./parts/wizard.mjs";

const PASSWORD = "correct horse battery";
const shots = process.env.USERLOCK_TEST_SHOTS;

test.describe.configure({ mode: "serial" });
test.setTimeout(120_000);

let folder, primary, backup, complaints;

test.beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "userlock-wizard-"));
  [primary, backup] = [new EmptyServer(folder, "srv-a"), new EmptyServer(folder, "srv-b")];
  await Promise.all([primary.start(), backup.start()]);
});

test.afterAll(async () => {
  await Promise.all([primary, backup].map((server) => server?.stop()));
  rmSync(folder, { recursive: true, force: true });
});

test.beforeEach(({ page }, info) => {
  complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    const expected = /was preloaded using link preload|status of 422/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !expected) complaints.push(message.text());
  });
  page.scripted = info.project.use.javaScriptEnabled !== false;
});

test.afterEach(async ({}, info) => {
  for (const server of info.status === info.expectedStatus ? [] : [primary, backup]) {
    await info.attach(`${server.name}.log`, { body: tail(server.log, 200), contentType: "text/plain" });
  }
  expect(complaints, "complaints of the pages").toEqual([]);
});

/** Looks at a page as it comes: what a screen reader would miss, what is too wide, and pictures where they are wanted. */
async function look(page, name) {
  if (page.scripted) {
    await page.emulateMedia({ reducedMotion: "reduce" });
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`), name).toEqual([]);
  }
  for (const [width, height] of [[360, 740], [1440, 900]]) {
    await page.setViewportSize({ width, height });
    const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    expect(wide, `${name}: nothing sticks out at ${width} px`).toBeLessThanOrEqual(room);
    for (const colorScheme of shots ? ["light", "dark"] : []) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.screenshot({ path: join(shots, `${name}-${width}-${colorScheme}.png`), fullPage: true });
    }
  }
}

const go = (page, name = "Continue") => page.getByRole("button", { name, exact: true }).click();
const at = (page, title) => expect(page.getByRole("heading", { level: 1 })).toHaveText(title);

/** The step says this, by its code and in words; what was typed is still there. */
async function refused(page, code, words) {
  const said = page.locator(`[role=alert][data-code=${code}]`);
  await expect(said).toBeVisible();
  await expect(said).toContainText(words);
}

async function open(page, server) {
  await page.goto(`${server.url}/sessions`);
  await at(page, "Set up this server");
  await page.getByLabel("One-time code").fill(server.code);
  await go(page, "Begin");
  await at(page, "What is this server for?");
}

async function chooseBackup(page, address) {
  await page.getByRole("radio", { name: /Backup server/ }).check();
  await page.getByLabel("Address of the Primary server").fill(address);
  await go(page);
}

/** Compares the certificate, and says that it is the right one. */
async function confirm(page, fingerprint) {
  await refused(page, "certificate_unknown", "Nobody has confirmed the certificate");
  const shown = await page.locator(".confirm code").textContent();
  expect(shown.replaceAll(" ", "")).toBe(fingerprint);
  await page.getByLabel("They are the same. This is the Primary.").check();
  await go(page);
}

async function signIn(page, account, password) {
  await page.getByLabel("Account").fill(account);
  await page.getByLabel("Password").fill(password);
  await go(page, "Sign in and continue");
}

test("a Primary, from an empty folder", async ({ page }) => {
  await test.step("nothing else is served, and programs are told why", async () => {
    expect((await ask(`${primary.url}/healthz`)).status).toBe(200);
    for (const path of ["/readyz", "/api/v1/server", "/agent/v1/hello", "/replication/v1/hello"]) {
      const { status, body } = await ask(`${primary.url}${path}`);
      expect([status, JSON.parse(body).code], path).toEqual([503, "not_set_up"]);
    }
    const { status, headers } = await ask(`${primary.url}/sign-in`);
    expect([status, headers.location]).toEqual([303, "/wizard"]);
  });

  await test.step("only the one-time code opens it", async () => {
    await page.goto(primary.url);
    await at(page, "Set up this server");
    await look(page, "welcome");
    await page.getByLabel("One-time code").fill("ABCD-EFGH-JKLM");
    await go(page, "Begin");
    await refused(page, "wrong_code", "This is not the code");
    await open(page, primary);
    const cookie = (await page.context().cookies()).find(({ name }) => name.startsWith("__Host-userlock-wizard"));
    expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: "Strict" });
    await look(page, "server-type");
  });

  await test.step("what was typed is kept, back and forth, but for passwords", async () => {
    await page.getByRole("radio", { name: /Primary server/ }).check();
    await go(page);
    await at(page, "Protected zone");
    await page.getByLabel("Name of the protected zone").fill("north");
    await page.getByLabel("Name of this server").fill("srv-a.north.example");
    await page.getByRole("textbox", { name: "Password", exact: true }).fill(PASSWORD);
    await page.getByLabel("Password again").fill("another");
    await go(page);
    await refused(page, "passwords_differ", "not the same");
    await look(page, "zone-primary");
    await expect(page.getByRole("textbox", { name: "Password", exact: true })).toHaveValue("");
    await page.getByRole("textbox", { name: "Password", exact: true }).fill(PASSWORD);
    await page.getByLabel("Password again").fill(PASSWORD);
    await go(page, "Back");
    await at(page, "What is this server for?");
    await expect(page.getByRole("radio", { name: /Primary server/ })).toBeChecked();
    await go(page);
    await expect(page.getByLabel("Name of the protected zone")).toHaveValue("north");
    expect(await page.content()).not.toContain(PASSWORD);
    await go(page);
    await expect(page.getByText("a Primary uses no account")).toBeVisible();
    await go(page);
  });

  await test.step("it is made, and the same program goes on as the server", async () => {
    await at(page, "Is this right?");
    await expect(page.locator(".summary")).toContainText("north");
    await look(page, "finish-ready");
    await go(page, "Set up the Primary");
    await at(page, "Set up");
    await expect(page.getByText("userlock1.")).toBeVisible();
    expect((await page.locator(".compare").textContent()).replaceAll(" ", "")).toBe(primary.fingerprint);
    await look(page, "finish-primary");
    await go(page, "Start the server and sign in");
    await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
    await page.getByLabel("Account").fill("admin");
    await page.getByLabel("Password").fill(PASSWORD);
    await go(page, "Sign in");
    await at(page, "Overview");
    await page.goto(`${primary.url}/wizard/finish`);
    await at(page, "Overview");
  });
});

test("its Backup, from an empty folder", async ({ page }) => {
  await open(page, backup);

  await test.step("an address that leads nowhere is found out at once", async () => {
    await chooseBackup(page, "primary.invalid");
    await refused(page, "name_not_found", "primary.invalid does not resolve");
    await look(page, "not-found");
    await expect(page.getByLabel("Address of the Primary server")).toHaveValue("primary.invalid");
    await chooseBackup(page, `127.0.0.1:${await freePort()}`);
    await refused(page, "refused", "Connection refused");
  });

  await test.step("the certificate is compared and confirmed", async () => {
    await chooseBackup(page, primary.url);
    await look(page, "certificate");
    await confirm(page, primary.fingerprint);
    await at(page, "Protected zone");
    await expect(page.getByText("north", { exact: true })).toBeVisible();
  });

  await test.step("two servers have two names", async () => {
    await page.getByLabel("Name of this server").fill("SRV-A.north.example");
    await go(page);
    await refused(page, "name_taken", "is called srv-a.north.example too");
    await page.getByLabel("Name of this server").fill("srv-b.north.example");
    await look(page, "zone-backup");
    await go(page);
  });

  await test.step("the account is asked for there", async () => {
    await at(page, "Service account");
    await signIn(page, "admin", "not the password");
    await refused(page, "wrong_password", "does not accept the account admin");
    await look(page, "account");
    await expect(page.getByLabel("Account")).toHaveValue("admin");
    await signIn(page, "admin", PASSWORD);
    await at(page, "Is this right?");
    expect(await page.content()).not.toContain(PASSWORD);
  });

  await test.step("both synchronizations run, and the pair works", async () => {
    await go(page, "Set up the Backup");
    await at(page, "Set up");
    for (const part of ["Join the zone", "Synchronize sessions", "Synchronize events"]) {
      await expect(page.locator(".tasks li", { hasText: part })).toHaveAttribute("data-state", "done");
    }
    await look(page, "finish-backup");
    // It leads on by itself.
    await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
    await until("both servers hold the same", () => Promise.all([primary, backup].map((s) => s.get("/api/v1/server"))), ([a, b]) =>
      a.phase === "serving" && b.phase === "standby" && a.peer?.state === "up" && a.held_digest === b.held_digest &&
      a.state_digest === b.state_digest);
    await page.getByLabel("Account").fill("admin");
    await page.getByLabel("Password").fill(PASSWORD);
    await go(page, "Sign in");
    await at(page, "Overview");
    await expect(page.getByRole("group", { name: /^Primary server/ })).toContainText("srv-a.north.example");
  });

  await test.step("the Primary's certificate is replaced, and the Backup goes by the new one", async () => {
    await page.goto(`${primary.url}/properties/certificate`);
    await page.getByLabel("Account").fill("admin");
    await page.getByLabel("Password").fill(PASSWORD);
    await go(page, "Sign in");
    await at(page, "Properties · Certificate");
    await page.getByLabel("Reason").fill("the old one is to go");
    await go(page, "Make the next certificate");
    await expect(page.getByRole("table", { name: "Next", exact: true })).toBeVisible();
    await until("the Backup knows it", () => primary.get("/api/v1/certificate"), ({ waits_for }) => waits_for.length === 0);
    await page.reload();
    await expect(page.getByRole("table", { name: "Who knows the next one" })).toContainText("nobody: it can be used");
    await look(page, "certificate-next");
    await page.getByLabel("Reason").first().fill("everybody knows it");
    await go(page, "Use the next certificate");
    await expect(page.getByText("The certificate is replaced.")).toBeVisible();
    primary.certificate = (await primary.get("/api/v1/certificate")).present.fingerprint;
    await until("the Backup goes by it", () => backup.get("/api/v1/settings/synchronization"), ({ primary_fingerprint }) => primary_fingerprint === primary.certificate);
    await until("they are in contact", () => backup.get("/api/v1/server"), ({ peer }) => peer.state === "up");
  });
});

test("what stands against a Backup is said, and it can be tried again from where it failed", async ({ page }) => {
  const [third, way, other] = [new EmptyServer(folder, "srv-c"), await Way.to(primary), await otherPrimary(folder)];
  const [stranger, inTheWay] = [await strangeServer(primary), join(third.data, "state.sqlite")];
  try {
    await third.start();
    await open(page, third);

    await test.step("a server is not its own Primary, by whatever name", async () => {
      for (const address of [third.url, third.url.replace("127.0.0.1", "localhost")]) {
        await chooseBackup(page, address);
        await refused(page, "own_address", "is this server itself");
      }
      await look(page, "own-address");
    });

    await test.step("a server of another kind is found out before its certificate is shown", async () => {
      await chooseBackup(page, stranger.url);
      await refused(page, "not_a_server", "does not answer as a UserLock server does");
      await expect(page.locator(".confirm")).toHaveCount(0);
    });

    await test.step("a Backup is no Primary", async () => {
      await chooseBackup(page, backup.url);
      await confirm(page, backup.fingerprint);
      await refused(page, "not_a_primary", "is the Backup of the zone north");
    });

    await test.step("another version, and clocks that are apart", async () => {
      way.disturbed.about = problem(400, "protocol_version", "This server speaks version 9 of the protocol between servers, the other 1.");
      await chooseBackup(page, way.url);
      await refused(page, "other_version", "speaks version 9");
      way.disturbed.about = (answer) => ({ ...answer, body: JSON.stringify({ ...JSON.parse(answer.body), clock: Date.now() + 90_000 }) });
      await go(page);
      await confirm(page, primary.fingerprint);
      await at(page, "Protected zone");
      await expect(page.getByRole("note")).toContainText("s ahead of this server's");
      await look(page, "clocks");
      delete way.disturbed.about;
      await page.getByLabel("Name of this server").fill("srv-c.north.example");
      await go(page);
    });

    await test.step("not an administrator", async () => {
      const guest = { name: "guest", roles: ["read_only"], disabled: false, password: PASSWORD };
      await primary.change("security", (section) => ({ ...section, accounts: [...section.accounts, guest] }));
      await signIn(page, "guest", PASSWORD);
      await refused(page, "not_an_administrator", "guest is not an administrator");
      await signIn(page, "nobody", PASSWORD);
      await refused(page, "wrong_password", "does not accept the account nobody");
    });

    await test.step("the zone has a Backup, which this one may replace", async () => {
      await signIn(page, "admin", PASSWORD);
      await refused(page, "has_a_backup", "srv-b.north.example is the Backup of this zone already");
      await look(page, "has-a-backup");
      await page.getByLabel(/takes the place of that Backup/).check();
      await go(page, "Sign in and continue");
      await at(page, "Is this right?");
      await expect(page.locator(".summary")).toContainText("takes the place");
    });

    await test.step("a set-up that fails after it has joined says where", async () => {
      // Where the state is to be written there is something else.
      mkdirSync(inTheWay);
      await go(page, "Set up the Backup");
      await at(page, "Not finished");
      await refused(page, "this_server", "state.sqlite");
      await expect(page.locator(".tasks li", { hasText: "Join the zone" })).toHaveAttribute("data-state", "done");
      await expect(page.locator(".tasks li", { hasText: "Take over the settings" })).toHaveAttribute("data-state", "failed");
      await look(page, "finish-failed");
    });

    await test.step("then another zone is refused", async () => {
      await page.goto(`${third.url}/wizard/server-type`);
      await chooseBackup(page, other.url);
      await refused(page, "certificate_unknown", "Nobody has confirmed");
      await page.getByLabel("They are the same. This is the Primary.").check();
      await go(page);
      await refused(page, "other_zone", "joined the zone north in a set-up that was not finished");
      await look(page, "other-zone");
    });

    await test.step("and trying again goes on from there, without replacing anything", async () => {
      await chooseBackup(page, way.url);
      await confirm(page, primary.fingerprint);
      await go(page);
      await page.getByLabel(/takes the place of that Backup/).uncheck();
      await go(page, "Sign in and continue");
      rmdirSync(inTheWay);
      await go(page, "Try again");
      await at(page, "Set up");
      await until("the new Backup stands by", () => third.get("/api/v1/server"), ({ phase, peer }) => phase === "standby" && peer.state === "up");
      const { peer } = await primary.get("/api/v1/server");
      expect(peer.name).toBe("srv-c.north.example");
      // It leads on by itself; the servers end only then, for it would look at them again.
      await page.waitForURL(/\/sign-in/, { timeout: 30_000 });
    });
  } finally {
    way.stop();
    stranger.stop();
    await Promise.all([third.stop(), other.stop()]);
  }
});

test("a password that is tried too often is tried no more", async ({ page }) => {
  const fourth = new EmptyServer(folder, "srv-d");
  try {
    await fourth.start();
    await open(page, fourth);
    await chooseBackup(page, primary.url);
    await confirm(page, primary.fingerprint);
    await page.getByLabel("Name of this server").fill("srv-d.north.example");
    await go(page);
    await at(page, "Service account");
    const said = page.locator("[role=alert]");
    for (let n = 1, code = "wrong_password"; code === "wrong_password"; n += 1) {
      expect(n, "attempts").toBeLessThanOrEqual(11);
      const answered = page.waitForResponse((answer) => answer.request().method() === "GET" && answer.url().endsWith("/wizard/account"));
      await signIn(page, "admin", `not the password ${n}`);
      await answered;
      code = await said.getAttribute("data-code");
    }
    await refused(page, "too_many_attempts", "too many have failed");
    await signIn(page, "admin", PASSWORD);
    await refused(page, "too_many_attempts", "Wait a quarter of an hour");
  } finally {
    await fourth.stop();
  }
});

test("a server is taken out of its zone, and can be set up for another role", async ({ page }) => {
  const before = backup.code;
  await page.goto(`${backup.url}/properties/role`);
  await page.getByLabel("Account").fill("admin");
  await page.getByLabel("Password").fill(PASSWORD);
  await go(page, "Sign in");
  await at(page, "Properties · Role");
  await page.getByLabel(/^Reason/).fill("another one has its place");
  await go(page, "Leave the zone");
  await at(page, "Set up this server");
  expect(backup.code, "each start makes another code").not.toBe(before);
  await open(page, backup);
  await expect(page.getByRole("radio", { name: /Primary server/ })).toBeVisible();
});
