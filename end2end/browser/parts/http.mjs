// Calls of the servers' interfaces, outside of the browser.

export class CallError extends Error {
  constructor(method, url, status, text) {
    super(`${method} ${url}: ${status} ${text.slice(0, 500)}`);
    this.status = status;
  }
}

/** Makes a call with JSON, and gives what it answers; with `whole` its headers too. */
export async function call(method, url, { token, body, headers = {}, whole = false, seconds = 15 } = {}) {
  const answer = await fetch(url, {
    method,
    headers: {
      accept: "application/json",
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    redirect: "manual",
    signal: AbortSignal.timeout(seconds * 1000),
  });
  const text = await answer.text();
  if (!answer.ok) throw new CallError(method, url, answer.status, text);
  const value = text === "" ? undefined : JSON.parse(text);
  return whole ? { value, headers: answer.headers } : value;
}
