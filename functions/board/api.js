/* The API: signs in and stays signed in, sends the token along, and repeats what may be repeated. */

const TIMEOUT = 20_000; // milliseconds for a response
const PAUSES = [500, 1_500, 4_000]; // milliseconds before each retry
const PATIENCE = 10; // seconds that a server may ask to wait before a retry
const SEARCHED = 5; // pages of the trash, for one task
const RETRIED = new Set([429, 502, 503, 504]);

/** A problem that the API describes (RFC 9457). */
class Problem extends Error {
  constructor(status, problem, wait) {
    super(typeof problem.detail === "string" ? problem.detail : `The server answered with the status ${status}.`);
    this.status = status;
    this.wait = wait; // seconds
    this.errors = Array.isArray(problem.errors) ? problem.errors.filter((error) => error?.field && error.message) : [];
    this.taskId = problem.task_id;
  }

  /** What to tell the user, by field where fields are wrong. */
  get text() {
    const inWords = (message) => (/match pattern/.test(message) ? "This cannot be a username" : message); // no other has one
    const fields = this.errors.map(({ field, message }) => `${field}: ${inWords(message)}`);
    const text = fields.length ? fields.join(". ") : this.message;
    return this.wait && !text.includes(`${this.wait} s`) ? `${text} Try again in ${this.wait} s.` : text;
  }
}

/** There was no response, or none in time. */
class Unreachable extends Error {
  text = "The server does not respond. Check your connection; what you typed is still here.";
}

/** A response that is not this API's, but a proxy's or that of a network that asks to sign in. */
class Unexpected extends Error {
  text = "Something else than the API answered. Check your connection; what you typed is still here.";
}

/** What to tell the user of any error. */
const textOf = (error) => error.text ?? "Something went wrong on this page. Try again.";

const isTask = (body) =>
  STATUSES.has(body?.status) && typeof body.title === "string" && Number.isFinite(body.created_at) && Array.isArray(body.labels);

/** Wait for a while, but no longer than somebody waits for what comes after. */
const pause = (milliseconds, signal) =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", resolve);
  });

/** A UUID; crypto.randomUUID is not there on pages without TLS. */
function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Where a token is kept by which strangers who guess a user's password slow nobody down here. Outlives the session. */
const deviceOf = (username) => `device of ${username.toLowerCase()}`;

/** What a request gives; null where the server has nothing there. */
const unlessGone = (request) => request.catch((error) => (error.status === 404 ? null : Promise.reject(error)));

class Api {
  #root;
  #signIn;
  #turns = new Map(); // by a task's id: the last request about it that is on its way
  #waiting = new Set(); // the ids of tasks about which a request waits for a connection
  onWaiting = () => {}; // called when that has changed

  /**
   * @param root the path of the API, such as /prod, or nothing
   * @param signIn asks the user to sign in, and settles once that is done
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

  /** End the session, here and in all tabs; out of reach, it ends by itself. */
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

  /** Go on with the session; returns whether it does. Tabs that do so at once all get the same tokens. */
  async #refresh({ username, refreshToken }) {
    // Meanwhile, somebody may sign out, and somebody else in.
    const isWanted = () => Session.current?.refreshToken === refreshToken;
    try {
      await this.#getTokens(username, { grant_type: "refresh_token", refresh_token: refreshToken }, isWanted);
      return true;
    } catch (error) {
      if (error.status !== 400) throw error;
      return false; // it has ended
    }
  }

  /**
   * A page of a list.
   * @param path of the page, from `next` of the page before
   * @param tag the ETag of the page that is there already
   * @param signal aborts when nobody wants the page any more
   * @returns the page, or null when it is the one that is there
   */
  async page(path, tag, signal) {
    const response = await this.#authorized("GET", path, { headers: tag ? { "If-None-Match": tag } : {}, signal });
    if (tag && response.status === 304) return null;
    const items = response.body;
    if (!Array.isArray(items) || !items.every((item) => isTask(item) || item?.changes)) throw new Unexpected();
    const link = /<([^>]*)>; rel="next"/.exec(response.headers.get("Link"));
    // Its query alone: the page may be behind another host's name than the API knows.
    const next = link && path.split("?")[0] + new URL(link[1]).search;
    return { path, tag: response.headers.get("ETag"), items, next };
  }

  /** The names of the first users whose names begin so. */
  async usernames(prefix) {
    const { body } = await this.#authorized("GET", `/users?${new URLSearchParams({ prefix, limit: 20 })}`);
    return body.map(({ username }) => username);
  }

  /** A task as it is now, with its tag; without a connection, it may wait for one. */
  async task(id, mayWait = false) {
    return this.#inTurn(id, async () => this.#task(await this.#authorized("GET", `/tasks/${id}`, { about: mayWait && id })));
  }

  /** Whether a request about a task is on its way. */
  isBusy(id) {
    return this.#turns.has(id);
  }

  /** Whether one waits for a connection. */
  isWaiting(id) {
    return this.#waiting.has(id);
  }

  /** How many do. */
  get waiting() {
    return this.#waiting.size;
  }

  /** Whether any request about a task is on its way. */
  get isAnyBusy() {
    return this.#turns.size > 0;
  }

  /** Settles once the requests about tasks that are on their way have ended. */
  async settled() {
    await Promise.allSettled(this.#turns.values());
  }

  /** A task as it is now; null while a request about it is on its way, which will tell. */
  async look(id, signal) {
    return this.isBusy(id) ? null : this.#task(await this.#authorized("GET", `/tasks/${id}`, { signal })).task;
  }

  /** Create a task, once however often this is tried with a key. */
  async create(task, key = randomKey()) {
    const headers = { "Idempotency-Key": key };
    const create = () => this.#authorized("POST", "/tasks", { json: task, headers, about: key });
    return this.#inTurn(key, async () => this.#task(await create()));
  }

  /** Change a task, if it is still the version of a tag, else throw a 412. */
  async change(id, changes, tag) {
    return this.#inTurn(id, () => this.#patch(id, changes, tag));
  }

  /** Move a task from one status to another. If it is in neither, somebody else has moved it: that throws a 412. */
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
          // Something else of it was changed, or the response to a first try was lost.
        }
      }
    });
  }

  async #patch(id, changes, tag) {
    return this.#task(await this.#authorized("PATCH", `/tasks/${id}`, { json: changes, headers: { "If-Match": tag }, about: id }));
  }

  /** Move a task to the trash if it is as `isExpected` says, else throw a 412. One that is gone is no failure. */
  async remove(id, isExpected) {
    return this.#inTurn(id, async () => {
      const now = await this.#find(id);
      if (!now) return;
      if (!isExpected(now.task)) throw new Problem(412, {}, 0);
      // If it is gone, the response to a first try was lost, or somebody was faster.
      await unlessGone(this.#authorized("DELETE", `/tasks/${id}`, { headers: { "If-Match": now.tag }, about: id }));
    });
  }

  /** Restore a deleted task, if need be with another title; returns it. That somebody has is as good. */
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

  /** Remove a task from the trash for good; returns it if somebody has restored it instead. */
  async purge(id) {
    return this.#inTurn(id, async () => {
      const removed = await unlessGone(this.#authorized("DELETE", `/trash/${id}`, { about: id }));
      return removed ? null : this.#find(id);
    });
  }

  /**
   * A task, wherever it is: in the trash, it has `deleted_at`. Null where there is none; undefined where it is in the
   * trash, but not among the last that were deleted.
   */
  async findAnywhere(id) {
    const found = await this.#find(id, null);
    if (found) return found.task;
    // Its history is there as long as it is in the trash.
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

  /** A task as it is now, with its tag; null where there is none. */
  async #find(id, about = id) {
    const response = await unlessGone(this.#authorized("GET", `/tasks/${id}`, { about }));
    return response && this.#task(response);
  }

  /** Send a request about a task after those that are on their way. */
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
        // Another request, or another tab, may have signed in meanwhile.
        if (session?.token !== Session.current?.token) continue;
        const goesOn = mayRefresh && session?.refreshToken && (await this.#refresh(session));
        mayRefresh = !goesOn;
        if (!goesOn) await this.#signIn();
      }
    }
  }

  /** Send a request; one `about` a task waits for a connection as long as it takes. */
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
          tries = -1; // it begins anew
        }
        continue;
      }
      const { status } = response;
      const body = parsed(text);
      if (status === 204 || status === 304 || (response.ok && body)) return { status, headers: response.headers, body };
      if (response.ok) throw new Unexpected();
      const wait = Number(response.headers.get("Retry-After")) || 0; // a date is none
      const isLast = !RETRIED.has(status) || tries === PAUSES.length || wait > PATIENCE;
      if (isLast) throw new Problem(status, body ?? {}, wait);
      await pause(Math.max(PAUSES[tries], wait * 1_000), signal);
    }
  }
}
