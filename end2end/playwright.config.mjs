// How the browser tests are run; the tests are in browser/. `make test` runs them, or, once the programs are built,
// `npx playwright test` in this folder.
import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

const chromium = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => path && existsSync(path),
);

const use = {
  browserName: "chromium",
  launchOptions: {
    // Without it Playwright looks for a browser of its own, and says how to download one.
    executablePath: chromium,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  },
  ignoreHTTPSErrors: true,
  locale: "en-GB",
  screenshot: "only-on-failure",
  trace: "retain-on-failure",
};

export default defineConfig({
  testDir: "browser",
  outputDir: process.env.USERLOCK_TEST_OUTPUT ?? "test-results",
  forbidOnly: process.env.CI === "true",
  // The servers under test are shared, and the machine is small.
  workers: 1,
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  globalTimeout: 15 * 60_000,
  reporter: [["list"]],
  // Each test runs in both; @hydrated in its title says that it needs the hydrated page, @plain that it is about a page
  // without JavaScript.
  projects: [
    { name: "javascript", grepInvert: /@plain/, use },
    { name: "no-javascript", grepInvert: /@hydrated/, use: { ...use, javaScriptEnabled: false } },
  ],
});
