/* What the browser stores. */

/** Parse JSON; null if it is invalid. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** localStorage; if it is full or unavailable, values are kept in memory for this visit. */
class Store {
  static #unsaved = new Map();

  static get(name) {
    try {
      return Store.#unsaved.get(name) ?? localStorage.getItem(name);
    } catch {
      return null;
    }
  }

  static set(name, text) {
    try {
      localStorage.setItem(name, text);
      Store.#unsaved.delete(name);
    } catch {
      Store.#unsaved.set(name, text);
    }
  }

  static remove(name) {
    Store.#unsaved.delete(name);
    try {
      localStorage.removeItem(name);
    } catch {
      // As if nothing were stored.
    }
  }

  /** Whether everything is stored, not only kept in memory. */
  static get isWhole() {
    return Store.#unsaved.size === 0;
  }

  static get names() {
    try {
      return Object.keys(localStorage);
    } catch {
      return [];
    }
  }
}

class Session {
  static #name = "session";

  /** `{token, refreshToken, username}`, or null. All tabs share it until sign-out. */
  static get current() {
    const session = parsed(Store.get(Session.#name));
    return typeof session?.username === "string" ? session : null;
  }

  static set current(session) {
    Store.set(Session.#name, JSON.stringify(session));
  }

  /** Register a callback for when another tab signs out. */
  static onEnd(act) {
    addEventListener("storage", ({ key }) => key === Session.#name && !Session.current && act());
  }
}

/** What is stored for the signed-in user until sign-out: the last board, and drafts. */
class Kept {
  static #nameOf(name) {
    return `kept for ${Session.current?.username.toLowerCase()}: ${name}`;
  }

  /** Get a value; null if none is stored. */
  static get(name) {
    return parsed(Store.get(Kept.#nameOf(name)));
  }

  /** Store a value; null deletes it. */
  static set(name, value) {
    if (!Session.current) return; // another user may sign in next
    if (value === null) Store.remove(Kept.#nameOf(name));
    else Store.set(Kept.#nameOf(name), JSON.stringify(value));
  }

  /** The values whose names begin with a prefix, by the rest of the name. */
  static all(prefix) {
    const start = Kept.#nameOf(prefix);
    const names = Store.names.filter((name) => name.startsWith(start));
    return new Map(names.map((name) => [name.slice(start.length), parsed(Store.get(name))]));
  }

  /** Whether there are unsaved drafts. */
  static get hasDrafts() {
    return Kept.all("draft").size > 0;
  }

  static forget() {
    for (const name of Kept.all("").keys()) Kept.set(name, null);
  }
}
