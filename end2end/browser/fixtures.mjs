// What every browser test starts from: a pair that runs, dashboards that are signed in, and a page that complains of nothing.
import { test as base, expect } from "@playwright/test";
import { ADMIN, Pair } from "./parts/pair.mjs";

export { ADMIN, expect };

/** A page's complaints: errors of scripts, refusals by the content security policy, what could not be loaded. */
function listen(page, complaints) {
  // Without JavaScript what was loaded ahead for the script stays unused.
  const expected = (text) => !page.scripted && text.includes("was preloaded using link preload but not used");
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !expected(message.text())) complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`);
  });
}

/** Signs in by the form's own request, which takes less time than the form. */
export async function signIn(context, server, password) {
  const answer = await context.request.post(`${server.url}/sign-in`, {
    form: { user: ADMIN, password, next: "/" },
    headers: { origin: server.url },
    maxRedirects: 0,
  });
  expect(answer.status(), "the answer to a sign-in").toBe(303);
  expect(answer.headers().location, "where a sign-in leads").toBe("/");
}

export const test = base.extend({
  runningPair: [
    async ({}, use) => {
      const pair = await Pair.start();
      await use(pair);
      await pair.stop();
    },
    { scope: "worker", timeout: 60_000 },
  ],

  /** The pair; afterwards it is as it was before. */
  pair: async ({ runningPair }, use, info) => {
    await use(runningPair);
    if (info.status !== info.expectedStatus) {
      for (const [name, text] of runningPair.logs()) await info.attach(name, { body: text, contentType: "text/plain" });
    }
    await runningPair.restore();
  },

  /** What the complaints that a test provokes look like: it adds to this. */
  provoked: async ({}, use) => use([]),

  complaints: async ({ provoked }, use) => {
    const complaints = [];
    await use(complaints);
    const unexpected = complaints.filter((text) => !provoked.some((pattern) => text.match(pattern)));
    expect(unexpected, "complaints of the pages").toEqual([]);
  },

  /** Opens a dashboard, signed in, in a browser of its own: `await dashboard(pair.backup, "/sessions")`. */
  dashboard: async ({ browser, pair, complaints }, use, info) => {
    const opened = [];
    await use(async (server, path = "/", options = {}) => {
      const context = await browser.newContext({ ...contextOptions(info), baseURL: server.url, ...options });
      opened.push(context);
      await signIn(context, server, pair.password);
      const page = await context.newPage();
      listen(page, complaints);
      page.scripted = info.project.use.javaScriptEnabled !== false;
      if (path !== null) await visit(page, path);
      return page;
    });
    for (const context of opened) await context.close();
  },

  /** A page of a browser that is not signed in. */
  stranger: async ({ browser, pair, complaints }, use, info) => {
    const context = await browser.newContext({ ...contextOptions(info), baseURL: pair.primary.url });
    const page = await context.newPage();
    page.scripted = info.project.use.javaScriptEnabled !== false;
    listen(page, complaints);
    await use(page);
    await context.close();
  },
});

const contextOptions = (info) => {
  const { javaScriptEnabled, locale } = info.project.use;
  return { javaScriptEnabled, locale, viewport: { width: 1440, height: 900 }, timezoneId: "Europe/Paris" };
};

/** Goes to a page and waits until it can be used. */
export async function visit(page, path) {
  const answer = await page.goto(path);
  await ready(page);
  return answer;
}

/** Waits until the page is hydrated: then it is live. Without JavaScript it is ready as it comes. */
export async function ready(page) {
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  if (page.scripted && (await page.locator(".freshness").count()) > 0) await expect(page.locator(".freshness.ok")).toContainText("live");
}

/** A row of the list of sessions. */
export const row = (page, user) => page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: user, exact: true }) });

/** The server's box on the Overview. */
export const box = (page, role) => page.getByRole("group", { name: new RegExp(`^${role} server`) });
