/* The tasks: what the API lists, and over it what this user has just done. */

const STATUSES = new Map([["PENDING", "Pending"], ["IN_PROGRESS", "In progress"], ["COMPLETED", "Completed"]]);
const MOST_KEPT = 500_000; // characters of the board that are kept for the next visit
const SETTLED = 3_000; // milliseconds after a write in which a list may be from before it: its index lags

/** The path of the first page of tasks that pass filters, which are parameters of the list. */
const pathOf = (...filters) => `/tasks?${["limit=100", ...filters].filter(Boolean).join("&")}`;

/**
 * One page has the newest of all tasks, and mostly it has all. Only where it has not, each column has pages of its own,
 * which are looked at in turn: so a refresh costs one or two requests, however much is loaded.
 */
class Tasks {
  #api;
  #filters = ""; // of the tasks that are wanted, as parameters of the list
  #head = null; // the page with the first of all tasks; null before it is loaded
  #pages = new Map(); // by status: its own, if the head does not have all
  #turn = 0;
  // By id: the task as this user's last write left it, when that was, under which filters, and whether it has settled
  // and stays in sight though it is not listed.
  #written = new Map();
  #deleted = new Map(); // by id: when
  #requests = Promise.resolve(); // those that are on their way
  #aborting = new AbortController(); // of the last of them

  constructor(api) {
    this.#api = api;
  }

  /** Want the tasks that pass filters, which are parameters of the list, from the next refresh on; returns whether that is new. */
  filter(filters) {
    if (this.#filters === filters) return false;
    this.#aborting.abort(); // or what nobody waits for delays what is wanted
    this.#filters = filters;
    return true;
  }

  /** Show the board as the user saw it last, until the first refresh. */
  recall() {
    const kept = Kept.get("board");
    if (kept?.path === pathOf(this.#filters) && kept.items?.every(isTask)) this.#head = { ...kept, at: 0 };
  }

  /** Whether what is loaded is what passes these filters. */
  isLoaded(filters) {
    return Boolean(this.#head?.at) && this.#head.path === pathOf(filters);
  }

  /** Whether there are tasks that are not loaded. */
  hasMore(status) {
    return Boolean(this.#pages.get(status)?.at(-1).next);
  }

  /**
   * See what has changed.
   * @param seen ids of the tasks that the user sees: the pages that have them are read each time
   */
  refresh(seen) {
    return this.#enqueue(async (signal) => {
      const filters = this.#filters;
      const path = pathOf(filters);
      const known = this.#head?.path === path ? this.#head : { path };
      const head = await this.#read(known, signal);
      let pages = head.next && known.at ? this.#pages : new Map();
      if (head.next && !pages.size) {
        const first = async (status) => [status, [await this.#read({ path: pathOf(filters, `status=${status}`) }, signal)]];
        pages = new Map(await Promise.all([...STATUSES.keys()].map(first)));
      }
      [this.#head, this.#pages] = [head, pages];
      if (!filters && head.tag !== known.tag) Kept.set("board", JSON.stringify(head).length < MOST_KEPT ? head : null);
      await this.#lookBeyondHead(seen, signal);
      this.#forgetSettled();
    });
  }

  /** Load a page more of a column. */
  loadMore(status) {
    return this.#enqueue(async (signal) => {
      const pages = this.#pages.get(status);
      const path = pages?.at(-1).next;
      if (path) pages.push(await this.#read({ path }, signal));
    });
  }

  /** Send requests after those that are on their way; what nobody waits for any more is no error. */
  #enqueue(send) {
    const sent = this.#requests.then(async () => {
      this.#aborting = new AbortController();
      const { signal } = this.#aborting;
      await send(signal).catch((error) => (signal.aborted ? null : Promise.reject(error)));
    });
    this.#requests = sent.catch(() => {});
    return sent;
  }

  /** A page as it is now. If it was read before and has not changed, it costs a response without a body. */
  async #read(page, signal) {
    const at = Date.now();
    return { ...page, ...(await this.#api.page(page.path, page.tag, signal)), at };
  }

  /** Read what the head does not tell of: the pages of what is seen, and of the rest one in turn, a page or a task that is not listed. */
  async #lookBeyondHead(seen, signal) {
    const inHead = new Set(this.#head.items.map(({ id }) => id));
    const beyond = new Set(seen.filter((id) => !inHead.has(id)));
    const pages = [...this.#pages.values()].flatMap((all) => all.map((page, index) => ({ page, look: () => this.#readAgain(all, index, signal) })));
    const isSeen = ({ page }) => page.items.some(({ id }) => beyond.has(id));
    for (const { look } of pages.filter(isSeen)) await look();
    const others = pages.filter((one) => !isSeen(one)).map(({ look }) => look);
    const kept = [...this.#written.values()].filter((one) => one.isKept && this.#isInSight(one));
    const looks = [...others, ...kept.map((written) => () => this.#look(written, signal))];
    this.#turn += 1;
    await looks[this.#turn % looks.length]?.();
  }

  async #readAgain(pages, index, signal) {
    const before = pages[index];
    const after = await this.#read(before, signal);
    pages[index] = after;
    if (after.next === before.next) return;
    if (!after.next) pages.length = index + 1;
    const following = pages[index + 1];
    if (!following) return;
    // It ends elsewhere now. Until the page after it is read from there, that one has what no longer fits.
    const last = after.items.at(-1);
    const items = [...before.items.filter((task) => !last || this.#isAfter(task, last)), ...following.items];
    pages[index + 1] = { ...following, path: after.next, tag: null, items };
  }

  /** Read again what is in sight though it is not listed: somebody may change or delete it. */
  async #look(written, signal) {
    const { id } = written.task;
    try {
      written.task = (await this.#api.look(id, signal)) ?? written.task;
    } catch (error) {
      if (error.status === 404 && this.#written.get(id) === written) this.#written.delete(id);
      // Otherwise it stays, and is read again in turn.
    }
  }

  /** Whether a task comes after another: newest first, or what is due soonest. */
  #isAfter(task, other) {
    if (!/[?&]sort=due_at/.test(this.#head?.path)) return task.created_at < other.created_at;
    return (task.due_at ?? Infinity) > (other.due_at ?? Infinity);
  }

  /** The tasks by status, in their order. */
  columns() {
    const tasks = this.#listed();
    const isShown = (one) => {
      const listed = tasks.get(one.task.id);
      if (!listed) return this.#isInSight(one);
      return listed.updated_at <= one.task.updated_at || this.#api.isBusy(listed.id);
    };
    const written = [...this.#written.values()].filter(isShown);
    for (const { task } of written) tasks.delete(task.id);
    const columns = new Map([...STATUSES.keys()].map((status) => [status, []]));
    for (const task of tasks.values()) columns.get(task.status).push(task);
    for (const { task } of written) {
      const column = columns.get(task.status);
      const after = column.findIndex((other) => !this.#isAfter(task, other));
      column.splice(after < 0 ? column.length : after, 0, task);
    }
    for (const [status, column] of columns) columns.set(status, column.filter(({ id }) => !this.#deleted.has(id)));
    return columns;
  }

  /** Show a task as a write left it. */
  put(task) {
    this.#written.set(task.id, { task, at: Date.now(), filters: this.#filters, isKept: false });
  }

  /** Show a task no longer, because it is deleted. */
  hide(id) {
    this.#deleted.set(id, Date.now());
  }

  unhide(id) {
    this.#deleted.delete(id);
  }

  #listed() {
    const head = this.#head?.items ?? [];
    const last = head.at(-1);
    // A column's page may be older than the head: of where both are, the head tells.
    const own = [...this.#pages.values()].flat().flatMap(({ items }) => items);
    const beyond = own.filter((task) => !last || !this.#isAfter(last, task));
    const tasks = new Map();
    for (const task of [...head, ...beyond]) {
      // One that moved between two requests is in both columns.
      if (tasks.has(task.id) && tasks.get(task.id).updated_at > task.updated_at) continue;
      tasks.delete(task.id);
      tasks.set(task.id, task);
    }
    return tasks;
  }

  /** Whether what was written is shown though it is not listed. Without a filter everything is. */
  #isInSight({ filters }) {
    return this.isLoaded("") || !this.#filters || this.isLoaded(filters) || this.#filters === filters;
  }

  /** Forget of this user's writes what was in, or missed by, a list that was read long enough after them. */
  #forgetSettled() {
    const listed = this.#listed();
    const started = Math.min(...[this.#head, ...[...this.#pages.values()].flat()].map(({ at }) => at));
    const isSettled = (id, at) => at + SETTLED < started && !this.#api.isBusy(id);
    for (const [id, written] of this.#written) {
      if (!isSettled(id, written.at)) continue;
      written.isKept = !listed.has(id) && this.#isBeyondLoaded(written);
      if (!written.isKept) this.#written.delete(id);
    }
    for (const [id, at] of this.#deleted) {
      if (!isSettled(id, at)) continue;
      this.#deleted.delete(id);
      this.#written.delete(id);
    }
  }

  /**
   * Whether a task's place is after the last that is loaded; one that was just moved there stays in sight. Under a
   * filter only the server knows that: what was written stays in sight until the filter changes.
   */
  #isBeyondLoaded({ task, filters }) {
    if (!this.isLoaded("")) return this.isLoaded(filters);
    const last = this.#pages.get(task.status)?.at(-1);
    return Boolean(last?.next) && !(last.items.length && this.#isAfter(last.items.at(-1), task));
  }
}
