#!/usr/bin/env node
// Makes the picture of the README again: the Overview of a Backup, of a demo that has played for a while.
//
//   node end2end/browser/screenshot.mjs [--out docs/screenshot.png] [--minutes 3] [--dark]
//
// Uses the programs in USERLOCK_BIN_DIR, or those that were built in the project.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { chromium } from "@playwright/test";
import settings from "../playwright.config.mjs";
import { binary, end, freePort } from "./parts/programs.mjs";

const project = resolve(import.meta.dirname, "../..");
const { values } = parseArgs({
  options: {
    out: { type: "string", default: join(project, "docs/screenshot.png") },
    minutes: { type: "string", default: "3" },
    dark: { type: "boolean", default: false },
  },
});
const folder = mkdtempSync(join(tmpdir(), "userlock-screenshot-"));
const addresses = [await freePort(), await freePort()].map((port) => `127.0.0.1:${port}`);
const args = ["demo", "--dir", join(folder, "demo"), "--primary-addr", addresses[0], "--backup-addr", addresses[1]];
// A day in so many minutes that the picture is taken at noon.
args.push("--machines", "160", "--day-seconds", String(Math.round(Number(values.minutes) * 60 * 2.4)));
const demo = spawn(binary("userlock"), args, { stdio: ["ignore", "pipe", "inherit"] });
try {
  const told = await Promise.race([
    new Promise((done) => createInterface({ input: demo.stdout }).once("line", (line) => done(JSON.parse(line)))),
    new Promise((_, failed) => demo.once("exit", (code) => failed(new Error(`the demo has ended with ${code}`)))),
  ]);
  console.log(`The demo runs at ${told.backup.url}; it plays for ${values.minutes} min.`);
  await sleep(Number(values.minutes) * 60_000);

  const { launchOptions } = settings.projects[0].use;
  const browser = await chromium.launch(launchOptions);
  const page = await browser.newPage({
    viewport: { width: 1360, height: 900 },
    deviceScaleFactor: 1.5,
    colorScheme: values.dark ? "dark" : "light",
    locale: "en-GB",
    timezoneId: "Europe/Paris",
    ignoreHTTPSErrors: true,
  });
  await page.goto(`${told.backup.url}/`);
  await page.getByLabel("Account").fill(told.admin.user);
  await page.getByLabel("Password").fill(told.admin.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator(".freshness.ok").waitFor();
  await page.locator(".certificate.ok").waitFor();
  await page.screenshot({ path: values.out });
  await browser.close();
  console.log(`Written: ${values.out}`);
} finally {
  await end(demo, "SIGINT");
  rmSync(folder, { recursive: true, force: true });
}
