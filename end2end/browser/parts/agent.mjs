// Plays the agent of a machine: writes records as an agent does, numbered and chained, and keeps them until both servers
// could have them. Its sessions exist nowhere but here.
import { randomBytes } from "node:crypto";
import { blake3 } from "@noble/hashes/blake3.js";
import { call } from "./http.mjs";

export const KIND = {
  inventory: 2, logon: 3, logoff: 4, lock: 5, unlock: 6, disconnect: 7, reconnect: 8, denied: 9, commandResult: 11,
};
const NIL = "0".repeat(32);
const VERSION = "browser-test";
const id = () => randomBytes(16).toString("hex");
const bytes = (text) => new TextEncoder().encode(text);

function number(size, value) {
  const out = Buffer.alloc(size);
  if (size === 2) out.writeUInt16BE(value);
  else out.writeBigInt64BE(BigInt(value));
  return out;
}

/** The chain of a record: a hash of its purpose, then of each part with its length before it. */
export function chainAfter(before, { origin, rank, seq, machine, kind, at, payload }) {
  const purpose = bytes("userlock record 1");
  const parts = [
    Buffer.from(before, "hex"), Buffer.from(origin, "hex"), number(8, rank), number(8, seq), bytes(machine),
    number(2, kind), number(8, at), bytes(payload),
  ];
  const input = [Uint8Array.of(purpose.length), purpose, ...parts.flatMap((part) => [number(8, part.length), part])];
  return Buffer.from(blake3(Buffer.concat(input)).slice(0, 16)).toString("hex");
}

export class Agent {
  #token;
  #origin = id();
  #rank = 0;
  #records = [];
  #boot = id();
  #next = 1;
  #started = performance.now();
  /** What each server is known to hold of the records: the last number. */
  #held = new Map();
  /** The servers that did not answer last time. */
  #unreachable = new Set();
  #heartbeat;

  /** Enrols a machine at the Primary; `servers` are both addresses, the Primary's first. */
  static async enrol(servers, key, machine) {
    const agent = new Agent();
    agent.servers = servers;
    const { token, machine: folded } = await call("POST", `${servers[0]}/agent/v1/enrol`, { body: { key, machine, version: VERSION } });
    agent.machine = folded;
    agent.#token = token;
    agent.sessions = new Map();
    const { highest_rank } = await agent.#hello(servers[0]);
    agent.#rank = Math.max(Date.now(), highest_rank + 1);
    await agent.#report([[KIND.inventory, { boot: agent.#boot, sessions: [] }]]);
    agent.#heartbeat = setInterval(() => agent.beat().catch(() => {}), 5_000).unref();
    return agent;
  }

  /** The machine is heard of, at the first server that answers. */
  async beat() {
    await this.#first((server) => this.#hello(server));
  }

  /** Logs people on, in one batch: `{user, type, display_name?, client_name?, client_address?}` each. */
  async logOn(...people) {
    const opened = people.map((person) => {
      const { user, type = "workstation", ...more } = typeof person === "string" ? { user: person } : person;
      const session = { logon: `s${this.#next++}`, user, type, display_name: null, client_name: null, client_address: null, ...more };
      this.sessions.set(session.logon, session);
      return session;
    });
    await this.#report(opened.map((session) => [KIND.logon, { boot: this.#boot, ...session }]));
    return opened.map((session) => ({ ...session, key: `${this.#boot}-${session.logon}@${this.machine}` }));
  }

  async logOff(...sessions) {
    sessions.forEach((session) => this.sessions.delete(session.logon));
    await this.#change(KIND.logoff, sessions);
  }

  async lock(...sessions) {
    await this.#change(KIND.lock, sessions);
  }

  async logOffAll() {
    if (this.sessions.size > 0) await this.logOff(...this.sessions.values());
  }

  /** May this user open a session here? The first server that answers says; a logon names the decision that allowed it. */
  async ask(user, type = "workstation") {
    const who = { user, type, display_name: null, client_name: null, client_address: null };
    let lastResort = false;
    return this.#first(async (server) => {
      const body = { decision_id: id(), ...who, groups: [], last_resort: lastResort };
      lastResort = true;
      return this.#call(server, "decisions", body);
    });
  }

  /** Waits for a command, obeys it if it is to log off, and says so. */
  async obey() {
    const { commands } = await this.#first((server) => this.#call(server, "commands", { wait_seconds: 10, taken: [] }));
    for (const { command } of commands) {
      const logon = command.session.split("@")[0].split("-")[1];
      const known = command.action === "logoff" && this.sessions.delete(logon);
      const result = { command_id: command.command_id, outcome: known ? "done" : "no_such_session" };
      const logoff = [KIND.logoff, { boot: this.#boot, logon, reason: command.reason }];
      await this.#report([[KIND.commandResult, result], ...(known ? [logoff] : [])]);
    }
    await this.#first((server) => this.#call(server, "commands", { wait_seconds: 0, taken: commands.map((c) => c.command.command_id) }));
    return commands.map(({ command }) => command);
  }

  stop() {
    clearInterval(this.#heartbeat);
  }

  async #change(kind, sessions) {
    await this.#report(sessions.map(({ logon }) => [kind, { boot: this.#boot, logon }]));
  }

  async #report(events) {
    for (const [kind, content] of events) {
      const record = {
        origin: this.#origin, rank: this.#rank, seq: this.#records.length + 1, machine: this.machine, kind, at: Date.now(),
        payload: JSON.stringify(content),
      };
      record.chain = chainAfter(this.#records.at(-1)?.chain ?? NIL, record);
      this.#records.push(record);
    }
    await this.#first((server) => this.#bring(server));
  }

  /** Sends a server what it lacks. */
  async #bring(server) {
    if (!this.#held.has(server)) await this.#hello(server);
    const from = this.#held.get(server);
    const records = this.#records.slice(from).map(({ seq, kind, at, chain, payload }) => ({ seq, kind, at, chain, payload: JSON.parse(payload) }));
    if (records.length === 0) return;
    const body = { origin: this.#origin, rank: this.#rank, before: this.#records[from - 1]?.chain ?? NIL, records };
    const { held, rejected } = await this.#call(server, "events", body);
    if (rejected?.length > 0) throw new Error(`${server} rejected ${JSON.stringify(rejected)}`);
    this.#held.set(server, this.#heldUpTo(held));
  }

  async #hello(server) {
    const last = this.#records.at(-1);
    const answer = await this.#call(server, "hello", {
      origin: this.#origin, rank: this.#rank, ranges: last ? [{ first: 1, last: last.seq, chain: last.chain }] : [], boot: this.#boot,
      monotonic_ms: Math.floor(performance.now() - this.#started), wall_ms: Date.now(),
      why: server === this.servers[0] ? "preferred" : "the Primary does not answer",
      spool: last ? last.seq - (this.#held.get(server) ?? 0) : 0,
      reaches: this.servers.map((url) => ({ url, ok: !this.#unreachable.has(url) })), version: VERSION,
    });
    if (answer.verdict !== "ok") throw new Error(`${server} says ${answer.verdict}`);
    this.#held.set(server, this.#heldUpTo(answer.held));
    return answer;
  }

  #heldUpTo(ranges) {
    return ranges.find(({ first }) => first === 1)?.last ?? 0;
  }

  #call(server, what, body) {
    return call("POST", `${server}/agent/v1/${what}`, { token: this.#token, body });
  }

  /** The first server that can be reached and has its wits about it. */
  async #first(ask) {
    let failure;
    for (const server of this.servers) {
      try {
        const answer = await ask(server);
        this.#unreachable.delete(server);
        return answer;
      } catch (error) {
        if (error.status !== undefined && error.status < 500) throw error;
        this.#held.delete(server);
        this.#unreachable.add(server);
        failure = error;
      }
    }
    throw failure;
  }
}
