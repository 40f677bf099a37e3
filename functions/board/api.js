/* The API's client: signs in, refreshes tokens, and retries what is safe to retry. */

const TIMEOUT = 20_000; // milliseconds for a response
const PAUSES = [500, 1_500, 4_000]; // milliseconds before each retry
const PATIENCE = 10; // seconds; if the server asks for a longer wait, the user is told instead
const SEARCHED = 5; // pages of the trash that are searched for one task
const RETRIED = new Set([429, 502, 503, 504]);

/** An error that the API describes as a problem document (RFC 9457). */
class Problem extends Error {
  constructor(status, problem, wait) {
    super(typeof problem.detail === "string" ? problem.detail : `The server answered with the status ${status}.`);
    this.status = status;
    this.wait = wait; // seconds
    this.errors = Array.isArray(problem.errors) ? problem.errors.filter((error) => error?.field && error.message) : [];
    this.taskId = problem.task_id;
  }

  /** The message for the user; with the name of each invalid field. */
  get text() {
    const inWords = (message) => (/match pattern/.test(message) ? "This cannot be a username" : message); // no other has one
    const fields = this.errors.map(({ field, message }) => `${field}: ${inWords(message)}`);
    const text = fields.length ? fields.join(". ") : this.message;
    return this.wait && !text.includes(`${this.wait} s`) ? `${text} Try again in ${this.wait} s.` : text;
  }
}

/** The server did not respond in time. */
class Unreachable extends Error {
  text = "The server does not respond. Check your connection; what you typed is still here.";
}

/** The response came from something else than this API, such as a proxy or a network's sign-in page. */
class Unexpected extends Error {
  text = "Something else than the API answered. Check your connection; what you typed is still here.";
}

/** The message for the user about any error. */
const textOf = (error) => error.text ?? "Something went wrong on this page. Try again.";

const isTask = (body) =>
  STATUSES.has(body?.status) && typeof body.title === "string" && Number.isFinite(body.created_at) && Array.isArray(body.labels);

/** Wait, until the time is over or the signal aborts. */
const pause = (milliseconds, signal) =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", resolve);
  });

/** Make a UUID; crypto.randomUUID is missing on pages without TLS. */
function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The storage key of a user's device token, which keeps guesses from elsewhere from slowing this device. It outlives the session. */
const deviceOf = (username) => `device of ${username.toLowerCase()}`;

/** The result of a request; null if the server responds with 404. */
const unlessGone = (request) => request.catch((error) => (error.status === 404 ? null : Promise.reject(error)));

class Api {
  #root;
  #signIn;
  #turns = new Map(); // by task id: the last pending request about the task
  #waiting = new Set(); // ids of the tasks whose requests wait for a connection
  onWaiting = () => {}; // called when the waiting requests change

  /**
   * @param root the path of the API, such as /prod, or nothing
   * @param signIn asks the user to sign in; its promise settles when the user has
   */
  constructor(root, signIn) {
    this.#root = root;
    this.#signIn = signIn;
  }

  async signUp(username, password) {
    await this.#send("POST", "/auth/create", { json: { username, password } });
  }

  async logIn(username, password) {
    const device_token = Store.get(deviceOf(username)) ?? "";
    await this.#getTokens(username, { grant_type: "password", username, password, device_token });
  }

  /** End the session in all tabs. If the server cannot be reached, the session expires there. */
  logOut() {
    const token = Session.current?.refreshToken;
    Kept.forget();
    Session.current = null;
    if (token) navigator.sendBeacon(`${this.#root}/auth/revoke`, new URLSearchParams({ token }));
  }

  async #getTokens(username, form, isWanted = () => true) {
    const { body } = await this.#send("POST", "/auth/login", { body: new URLSearchParams(form) });
    if (typeof body.access_token !== "string") throw new Unexpected();
    if (!isWanted()) return;
    Session.current = { token: body.access_token, refreshToken: body.refresh_token, username };
    Store.set(deviceOf(username), body.device_token);
  }

  /** Refresh the session's tokens; returns whether the session goes on. Tabs that refresh at the same time get the same tokens. */
  async #refresh({ username, refreshToken }) {
    // Meanwhile, this user may have signed out, and another one in.
    const isWanted = () => Session.current?.refreshToken === refreshToken;
    try {
      await this.#getTokens(username, { grant_type: "refresh_token", refresh_token: refreshToken }, isWanted);
      return true;
    } catch (error) {
      if (error.status !== 400) throw error;
      return false; // the session has ended
    }
  }

  /**
   * Read a page of a list.
   * @param path of the page, such as `next` of the page before
   * @param tag the ETag of the known page
   * @param signal aborts the request
   * @returns the page, or null if it is unchanged
   */
  async page(path, tag, signal) {
    const response = await this.#authorized("GET", path, { headers: tag ? { "If-None-Match": tag } : {}, signal });
    if (tag && response.status === 304) return null;
    const items = response.body;
    if (!Array.isArray(items) || !items.every((item) => isTask(item) || item?.changes)) throw new Unexpected();
    const link = /<([^>]*)>; rel="next"/.exec(response.headers.get("Link"));
    // Use only its query: behind a proxy, the page may have another host than the API knows.
    const next = link && path.split("?")[0] + new URL(link[1]).search;
    return { path, tag: response.headers.get("ETag"), items, next };
  }

  /** Find the first users whose names begin with a prefix. */
  async usernames(prefix) {
    const { body } = await this.#authorized("GET", `/users?${new URLSearchParams({ prefix, limit: 20 })}`);
    return body.map(({ username }) => username);
  }

  /** Read a task and its ETag; `mayWait` lets the request wait for a connection. */
  async task(id, mayWait = false) {
    return this.#inTurn(id, async () => this.#task(await this.#authorized("GET", `/tasks/${id}`, { about: mayWait && id })));
  }

  /** Whether a request about a task is pending. */
  isBusy(id) {
    return this.#turns.has(id);
  }

  /** Whether a request about a task waits for a connection. */
  isWaiting(id) {
    return this.#waiting.has(id);
  }

  /** How many tasks have requests that wait for a connection. */
  get waiting() {
    return this.#waiting.size;
  }

  /** Whether any request about a task is pending. */
  get isAnyBusy() {
    return this.#turns.size > 0;
  }

  /** Settles when all pending requests about tasks have ended. */
  async settled() {
    await Promise.allSettled(this.#turns.values());
  }

  /** Read a task; null while another request about it is pending, whose result is newer. */
  async look(id, signal) {
    return this.isBusy(id) ? null : this.#task(await this.#authorized("GET", `/tasks/${id}`, { signal })).task;
  }

  /** Create a task; with the same key, at most once. */
  async create(task, key = randomKey()) {
    const headers = { "Idempotency-Key": key };
    const create = () => this.#authorized("POST", "/tasks", { json: task, headers, about: key });
    return this.#inTurn(key, async () => this.#task(await create()));
  }

  /** Change a task if its ETag still matches; else throw a 412. */
  async change(id, changes, tag) {
    return this.#inTurn(id, () => this.#patch(id, changes, tag));
  }

  /** Move a task from one status to another. If it has neither, somebody else has moved it: throw a 412. */
  async move(id, from, to) {
    return this.#inTurn(id, async () => {
      for (let tries = 1; ; tries += 1) {
        const now = await this.#find(id);
        if (!now) throw new Problem(404, {}, 0);
        if (now.task.status === to) return now;
        if (now.task.status !== from) throw new Problem(412, {}, 0);
        try {
          return await this.#patch(id, { status: to }, now.tag);
        } catch (error) {
          if (error.status !== 412 || tries === 3) throw error;
          // Another field changed, or the response to an earlier try was lost.
        }
      }
    });
  }

  async #patch(id, changes, tag) {
    return this.#task(await this.#authorized("PATCH", `/tasks/${id}`, { json: changes, headers: { "If-Match": tag }, about: id }));
  }

  /** Move a task to the trash if `isExpected` accepts it; else throw a 412. A task that is gone already is a success. */
  async remove(id, isExpected) {
    return this.#inTurn(id, async () => {
      const now = await this.#find(id);
      if (!now) return;
      if (!isExpected(now.task)) throw new Problem(412, {}, 0);
      // It is gone if the response to an earlier try was lost, or if somebody else deleted it.
      await unlessGone(this.#authorized("DELETE", `/tasks/${id}`, { headers: { "If-Match": now.tag }, about: id }));
    });
  }

  /** Restore a deleted task, maybe with another title; returns it, also if somebody else has restored it. */
  async restore(id, title) {
    return this.#inTurn(id, async () => {
      try {
        return this.#task(await this.#authorized("POST", `/trash/${id}/restore`, { json: title && { title }, about: id }));
      } catch (error) {
        const restored = error.status === 404 && (await this.#find(id));
        if (!restored) throw error;
        return restored;
      }
    });
  }

  /** Delete a task for good; returns the task if somebody has restored it instead. */
  async purge(id) {
    return this.#inTurn(id, async () => {
      const removed = await unlessGone(this.#authorized("DELETE", `/trash/${id}`, { about: id }));
      return removed ? null : this.#find(id);
    });
  }

  /**
   * Find a task on the board or in the trash; in the trash, it has `deleted_at`. Returns null if there is no such task, and
   * undefined if it is in the trash, but not among the latest deletions.
   */
  async findAnywhere(id) {
    const found = await this.#find(id, null);
    if (found) return found.task;
    // A task in the trash still has its history.
    if (!(await unlessGone(this.#authorized("GET", `/tasks/${id}/history?limit=1`, { about: null })))) return null;
    let path = "/trash?limit=100";
    for (let pages = 0; path && pages < SEARCHED; pages += 1) {
      const { items, next } = await this.page(path);
      const deleted = items.find((task) => task.id === id);
      if (deleted) return deleted;
      path = next;
    }
    return undefined;
  }

  /** Read a task and its ETag; null if there is no such task. */
  async #find(id, about = id) {
    const response = await unlessGone(this.#authorized("GET", `/tasks/${id}`, { about }));
    return response && this.#task(response);
  }

  /** Send a request about a task after the pending ones. */
  async #inTurn(id, send) {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).catch(() => {}).then(send);
    this.#turns.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#waiting.delete(id)) this.onWaiting();
      if (this.#turns.get(id) === turn) this.#turns.delete(id);
    }
  }

  #task({ body, headers }) {
    if (!isTask(body)) throw new Unexpected();
    return { task: body, tag: headers.get("ETag") };
  }

  async #authorized(method, path, options = {}) {
    for (let mayRefresh = true; ; ) {
      const session = Session.current;
      const headers = { ...options.headers, Authorization: `Bearer ${session?.token}` };
      try {
        return await this.#send(method, path, { ...options, headers });
      } catch (error) {
        if (error.status !== 401) throw error;
        // Another request or tab may have refreshed the token.
        if (session?.token !== Session.current?.token) continue;
        const goesOn = mayRefresh && session?.refreshToken && (await this.#refresh(session));
        mayRefresh = !goesOn;
        if (!goesOn) await this.#signIn();
      }
    }
  }

  /** Send a request. With `about`, a task's id, it waits for a connection as long as necessary. */
  async #send(method, path, { json, headers = {}, signal, about, ...options }) {
    if (json) {
      options.body = JSON.stringify(json);
      headers = { ...headers, "Content-Type": "application/json" };
    }
    for (let tries = 0; ; tries += 1) {
      let response, text;
      try {
        const ends = AbortSignal.any([AbortSignal.timeout(TIMEOUT), ...(signal ? [signal] : [])]);
        response = await fetch(this.#root + path, { ...options, method, headers, signal: ends, cache: "no-store" });
        text = await response.text();
      } catch {
        const isLast = tries === PAUSES.length;
        if (signal?.aborted || (isLast && !about)) throw new Unreachable();
        if (!about || (navigator.onLine && !isLast && !this.isWaiting(about))) await pause(PAUSES[tries], signal);
        else {
          this.#waiting.add(about);
          this.onWaiting();
          await Promise.race([pause(PAUSES.at(-1)), new Promise((resolve) => addEventListener("online", resolve, { once: true }))]);
          tries = -1; // all retries again
        }
        continue;
      }
      const { status } = response;
      const body = parsed(text);
      if (status === 204 || status === 304 || (response.ok && body)) return { status, headers: response.headers, body };
      if (response.ok) throw new Unexpected();
      const wait = Number(response.headers.get("Retry-After")) || 0; // 0 if it is a date
      const isLast = !RETRIED.has(status) || tries === PAUSES.length || wait > PATIENCE;
      if (isLast) throw new Problem(status, body ?? {}, wait);
      await pause(Math.max(PAUSES[tries], wait * 1_000), signal);
    }
  }
}
