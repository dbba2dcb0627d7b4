// The programs of a test: started with a log each, and ended with the test, however it ends.
import { execFile, spawn } from "node:child_process";
import { createServer } from "node:net";
import { openSync, closeSync, existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Where the programs are: `USERLOCK_BIN_DIR`, or what was built in the project. */
export function binary(name) {
  const project = resolve(import.meta.dirname, "../../..");
  const built = ["release", "debug"].map((profile) => join(process.env.CARGO_TARGET_DIR ?? join(project, "target"), profile));
  const folders = process.env.USERLOCK_BIN_DIR ? [resolve(project, process.env.USERLOCK_BIN_DIR)] : built;
  const found = folders.map((folder) => join(folder, name)).find(existsSync);
  if (!found) throw new Error(`There is no ${name} in ${folders.join(" or ")}: build it first, or set USERLOCK_BIN_DIR`);
  return found;
}

/** The environment without what would configure a server from outside of the test. */
function environment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("USERLOCK_")));
}

/** Starts a program that goes on; its output is added to `log`. */
export function start(program, args, log) {
  const file = openSync(log, "a");
  const child = spawn(program, args, { stdio: ["ignore", file, file], env: environment() });
  closeSync(file);
  running.add(child);
  child.on("exit", () => running.delete(child));
  child.on("error", () => running.delete(child));
  return child;
}

/** Runs a program that ends by itself; what it writes to standard output. */
export function run(program, args) {
  return new Promise((done, failed) => {
    execFile(program, args, { env: environment(), timeout: 60_000 }, (error, out, err) => {
      if (error) failed(new Error(`${program} ${args.join(" ")}: ${error.message}\n${err}`));
      else done(out);
    });
  });
}

/** Whether a program is still there. */
export const alive = (child) => child !== undefined && child.exitCode === null && child.signalCode === null;

/** Ends a program with a signal and waits until it is gone; with SIGKILL if it does not hear. */
export async function end(child, signal = "SIGTERM") {
  if (!alive(child)) return;
  const gone = new Promise((done) => child.once("exit", done));
  child.kill(signal);
  const patience = setTimeout(() => child.kill("SIGKILL"), 8_000);
  await gone;
  clearTimeout(patience);
}

/** A port that nobody listens on. */
export function freePort() {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** Looks until it is good, and gives what was seen; an error counts as not yet. */
export async function until(what, look, good = Boolean, seconds = 20) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    let seen;
    try {
      seen = await look();
      if (good(seen)) return seen;
    } catch (error) {
      seen = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`${what}: not within ${seconds} s; last seen: ${seen instanceof Error ? seen.message : JSON.stringify(seen)}`);
    }
    await sleep(100);
  }
}

/** The last lines of a log. */
export function tail(log, lines = 60) {
  return existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(-lines).join("\n") : "";
}
