// A server that is started with nothing but an address and an empty folder; and a way to a Primary that can be disturbed.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import { alive, binary, end, freePort, start, tail, until } from "./programs.mjs";

/** A request that takes any certificate: the browser tests look at certificates by their fingerprint. */
export function ask(url, { method = "GET", headers = {}, body } = {}) {
  return new Promise((done, failed) => {
    const request = https.request(url, { method, headers, rejectUnauthorized: false, agent: false }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => done({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }));
      answer.on("error", failed);
    });
    request.on("error", failed);
    request.end(body);
  });
}

export class EmptyServer {
  constructor(folder, name) {
    this.folder = folder;
    this.name = name;
    this.data = join(folder, name);
    this.config = join(folder, `${name}.toml`);
    this.log = join(folder, `${name}.log`);
  }

  /** Starts it: the data directory is not there yet. */
  async start() {
    const port = await freePort();
    this.url = `https://127.0.0.1:${port}`;
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(this.config, `listen = "127.0.0.1:${port}"\ndir = "${this.data}"\n[log]\njournald = "off"\nsyslog = "off"\n`);
    this.program = start(binary("userlock"), ["serve", "--config", this.config], this.log);
    await until(`${this.name} tells its one-time code`, () => {
      if (!alive(this.program)) throw new Error(`it has ended:\n${tail(this.log, 20)}`);
      return this.code;
    });
  }

  /** The last one that was told. */
  get code() {
    return [...readFileSync(this.log, "utf8").matchAll(/one-time code {2}(\S+)/g)].at(-1)?.[1];
  }

  /** As it was told at first, unless another certificate is in use. */
  get fingerprint() {
    return this.certificate ?? readFileSync(this.log, "utf8").match(/sha256 ([0-9a-f]{64})/)[1];
  }

  /** Whether it is a server that can decide. */
  async ready() {
    return (await ask(`${this.url}/readyz`)).status === 200;
  }

  /** What it tells with the token of the program on its machine. */
  async get(path) {
    const token = readFileSync(join(this.data, "local-token"), "utf8").trim();
    const { status, body } = await ask(`${this.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
    if (status !== 200) throw new Error(`${path}: ${status} ${body}`);
    return JSON.parse(body);
  }

  /** Writes a section of the settings back with a change. */
  async change(section, change) {
    const token = readFileSync(join(this.data, "local-token"), "utf8").trim();
    const url = `${this.url}/api/v1/settings/${section}`;
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const { headers: { etag }, body } = await ask(url, { headers });
    const changed = change(JSON.parse(body));
    const answer = await ask(url, { method: "PUT", headers: { ...headers, "if-match": etag }, body: JSON.stringify(changed) });
    if (answer.status !== 200) throw new Error(`${section}: ${answer.status} ${answer.body}`);
  }

  async stop() {
    await end(this.program);
  }
}

/** A Primary of another zone, set up without a browser. */
export async function otherPrimary(folder) {
  const other = new EmptyServer(folder, "other");
  const port = await freePort();
  other.url = `https://127.0.0.1:${port}`;
  const args = ["setup", "--role", "primary", "--zone", "south", "--name", "srv-south", "--dir", other.data];
  args.push("--listen", `127.0.0.1:${port}`, "--config-out", other.config);
  execFileSync(binary("userlock"), args, { stdio: "pipe" });
  other.program = start(binary("userlock"), ["serve", "--config", other.config], other.log);
  await until("the other Primary is ready", () => other.ready());
  return other;
}

/**
 * Stands before a Primary, with its certificate, and passes on what is asked, but for what it is told to disturb: that it
 * has another version or another clock, which no server of this version on this machine has.
 */
export class Way {
  /** By the call below /replication/v1/: what is answered instead, or `(answer) => answer`. */
  disturbed = {};

  static async to(primary) {
    const way = new Way();
    const tls = { cert: readFileSync(join(primary.data, "server.pem")), key: readFileSync(join(primary.data, "server.pem")) };
    way.server = https.createServer(tls, (request, response) => {
      const chunks = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", async () => {
        try {
          const answer = await way.#answer(primary, request, Buffer.concat(chunks));
          const { "content-length": _, "transfer-encoding": __, ...headers } = answer.headers ?? {};
          response.writeHead(answer.status, headers).end(answer.body);
        } catch {
          response.destroy();
        }
      });
    });
    await new Promise((done) => way.server.listen(0, "127.0.0.1", done));
    way.url = `https://127.0.0.1:${way.server.address().port}`;
    return way;
  }

  async #answer(primary, request, body) {
    const disturb = this.disturbed[request.url.split("/").at(-1)];
    if (disturb !== undefined && typeof disturb !== "function") return disturb;
    const { host: _, ...headers } = request.headers;
    const answer = await ask(`${primary.url}${request.url}`, { method: request.method, headers, body });
    return disturb ? disturb(answer) : answer;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** A server with TLS that is none of ours. */
export async function strangeServer(primary) {
  const tls = { cert: readFileSync(join(primary.data, "server.pem")), key: readFileSync(join(primary.data, "server.pem")) };
  const server = https.createServer(tls, (request, response) => response.end("<h1>It works!</h1>"));
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `https://127.0.0.1:${server.address().port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A refusal as a server sends it. */
export const problem = (status, code, detail) => ({
  status,
  headers: { "content-type": "application/problem+json" },
  body: JSON.stringify({ status, code, title: code, detail, field: null }),
});
