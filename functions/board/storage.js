/* What the browser keeps. */

/** The value of a JSON text; null where it is none, as a proxy's may be. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** localStorage; where it cannot be used or is full, what it should keep is kept for this visit. */
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
      // Then nothing is there.
    }
  }

  /** Whether it keeps everything. */
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

  /** `{token, refreshToken, username}`, or null. Kept for all tabs, until signing out. */
  static get current() {
    const session = parsed(Store.get(Session.#name));
    return typeof session?.username === "string" ? session : null;
  }

  static set current(session) {
    Store.set(Session.#name, JSON.stringify(session));
  }

  /** Call back when another tab signs out. */
  static onEnd(act) {
    addEventListener("storage", ({ key }) => key === Session.#name && !Session.current && act());
  }
}

/** What is kept for the user who is signed in, until signing out: the board as it was last, and drafts. */
class Kept {
  static #nameOf(name) {
    return `kept for ${Session.current?.username.toLowerCase()}: ${name}`;
  }

  /** A value; null where none is kept. */
  static get(name) {
    return parsed(Store.get(Kept.#nameOf(name)));
  }

  /** Keep a value; of null, nothing. */
  static set(name, value) {
    if (!Session.current) return; // it could be anybody's
    if (value === null) Store.remove(Kept.#nameOf(name));
    else Store.set(Kept.#nameOf(name), JSON.stringify(value));
  }

  /** The values whose names begin so, by what follows. */
  static all(prefix) {
    const start = Kept.#nameOf(prefix);
    const names = Store.names.filter((name) => name.startsWith(start));
    return new Map(names.map((name) => [name.slice(start.length), parsed(Store.get(name))]));
  }

  /** Whether there is something that the user typed and did not save. */
  static get hasDrafts() {
    return Kept.all("draft").size > 0;
  }

  static forget() {
    for (const name of Kept.all("").keys()) Kept.set(name, null);
  }
}
