// A Primary and a Backup as an administrator sets them up: plain HTTP on loopback ports, each with a folder of its own.
import { mkdtempSync, rmSync, writeFileSync, readFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent } from "./agent.mjs";
import { call } from "./http.mjs";
import { alive, binary, end, freePort, run, start, tail, until } from "./programs.mjs";

export const ADMIN = "admin";
const NAMES = { primary: "srv-a.corp.example", backup: "srv-b.corp.example" };

export class Server {
  constructor(pair, role) {
    this.pair = pair;
    this.role = role;
    this.name = NAMES[role];
    this.config = join(pair.folder, `${role}.toml`);
    this.log = join(pair.folder, `${role}.log`);
  }

  async setUp(...more) {
    const listen = `127.0.0.1:${await freePort()}`;
    const args = ["setup", "--role", this.role, "--dir", join(this.pair.folder, this.role), "--listen", listen];
    args.push("--config-out", this.config, "--name", this.name, "--plain-http", ...more);
    const said = await run(binary("userlock"), args);
    const told = JSON.parse(said.trim().split("\n").at(-1));
    this.url = told.url;
    return told;
  }

  async start() {
    if (alive(this.program)) return;
    this.program = start(binary("userlock"), ["serve", "--config", this.config], this.log);
    await until(`the ${this.role} is ready`, async () => {
      if (!alive(this.program)) throw new Error(`it has ended:\n${tail(this.log, 20)}`);
      return (await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;
    });
  }

  /** kill -9: no time to tidy up. */
  async kill() {
    await end(this.program, "SIGKILL");
  }

  async stop() {
    await end(this.program);
  }

  get(path) {
    return call("GET", `${this.url}${path}`, { token: this.pair.token });
  }

  post(path, body) {
    return call("POST", `${this.url}${path}`, { token: this.pair.token, body });
  }

  /** Reads a section and writes it back with other fields. */
  async change(section, fields) {
    const url = `${this.url}/api/v1/settings/${section}`;
    const { value, headers } = await call("GET", url, { token: this.pair.token, whole: true });
    await call("PUT", url, { token: this.pair.token, body: { ...value, ...fields }, headers: { "if-match": headers.get("etag") } });
  }

  state() {
    return this.get("/api/v1/server");
  }

  /** The users of the sessions on these machines that are not closed. */
  async users(machine) {
    const { items } = await this.get(`/api/v1/sessions?limit=500&machine=${encodeURIComponent(machine)}`);
    return items.map(({ user }) => user).sort();
  }
}

export class Pair {
  agents = [];
  #machines = 0;

  static async start() {
    const pair = new Pair();
    pair.folder = mkdtempSync(join(tmpdir(), "userlock-browser-"));
    pair.primary = new Server(pair, "primary");
    pair.backup = new Server(pair, "backup");
    try {
      await pair.#begin();
    } catch (error) {
      await pair.stop();
      throw error;
    }
    return pair;
  }

  async #begin() {
    this.password = randomBytes(18).toString("base64url");
    const file = join(this.folder, "password");
    writeFileSync(file, `${this.password}\n`, { mode: 0o600 });
    const told = await this.primary.setUp("--zone", "corp.example", "--admin-password-file", file);
    const out = join(this.folder, "token");
    await run(binary("userlock"), ["token", "--config", this.primary.config, "--name", "browser-test", "--out", out]);
    this.token = readFileSync(out, "utf8").trim();
    this.enrolBy(told.enrolment);
    await this.primary.start();
    await this.backup.setUp("--primary", told.url, "--account", ADMIN, "--password-file", file);
    await this.backup.start();
    await this.equal();
  }

  /** From now on machines are enrolled by this string. */
  enrolBy(string) {
    this.key = JSON.parse(Buffer.from(string.slice("userlock1.".length), "hex").toString()).key;
  }

  get servers() {
    return [this.primary, this.backup];
  }

  /** Enrols a machine. Its name is not used twice in a pair. */
  async machine(name) {
    const machine = `${name}-${++this.#machines}`;
    const agent = await Agent.enrol(this.servers.map(({ url }) => url), this.key, machine);
    this.agents.push(agent);
    return agent;
  }

  /** Waits until both hold the same and see each other. */
  async equal(seconds = 30) {
    await until(
      "both servers hold the same",
      () => Promise.all(this.servers.map((server) => server.state())),
      ([a, b]) =>
        a.phase === "serving" && b.phase === "standby" && a.peer?.state === "up" && b.peer?.state === "up" &&
        a.held_digest === b.held_digest && a.state_digest === b.state_digest &&
        JSON.stringify(a.settings_revision) === JSON.stringify(b.settings_revision),
      seconds,
    );
  }

  /** As it was before a test: both run, nobody is logged on, no rules, synchronized continuously. */
  async restore() {
    for (const server of this.servers) await server.start();
    const plain = { enabled: true, interval_seconds: 60, continuous: true };
    const { continuous, interval_seconds, enabled } = await this.backup.get("/api/v1/settings/synchronization");
    if (!continuous || interval_seconds !== 60 || !enabled) await this.backup.change("synchronization", plain);
    await until("the Primary serves", () => this.primary.state(), ({ phase }) => phase === "serving", 30);
    for (const agent of this.agents) {
      await agent.logOffAll();
      agent.stop();
    }
    this.agents = [];
    for (;;) {
      const { items } = await this.primary.get("/api/v1/protected-accounts?limit=500");
      const rule = items[0];
      if (!rule) break;
      await call("DELETE", `${this.primary.url}/api/v1/protected-accounts/${rule.id ?? rule.account.id}`, {
        token: this.token, headers: { "if-match": rule.etag },
      });
    }
    await this.equal();
  }

  logs() {
    return this.servers.map((server) => [`${server.role}.log`, tail(server.log, 400)]);
  }

  async stop() {
    this.agents.forEach((agent) => agent.stop());
    await Promise.all(this.servers.map((server) => server.stop()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
