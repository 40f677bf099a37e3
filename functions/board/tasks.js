/* The tasks: those that the API lists, overlaid with this user's latest writes. */

const STATUSES = new Map([["PENDING", "Pending"], ["IN_PROGRESS", "In progress"], ["COMPLETED", "Completed"]]);
const MOST_KEPT = 500_000; // characters of a board that is stored for the next visit
const SETTLED = 3_000; // milliseconds for which lists may lack a write, because the index lags

/** The path of the first page of the list with filters, which are query parameters. */
const pathOf = (...filters) => `/tasks?${["limit=100", ...filters].filter(Boolean).join("&")}`;

/**
 * One page, the head, has the first tasks of all columns, and mostly it has all tasks. Otherwise each column also has its own
 * pages. A refresh reads the head, the pages in view and one other page, however many are loaded.
 */
class Tasks {
  #api;
  #filters = ""; // as query parameters of the list
  #head = null; // the page with the first tasks; null until it is loaded
  #pages = new Map(); // by status, if the head does not have all tasks
  #turn = 0;
  // By id: the result of this user's last write, its time, the filters then, and whether the task stays visible although
  // the settled list does not have it.
  #written = new Map();
  #deleted = new Map(); // times by id
  #requests = Promise.resolve(); // the pending ones
  #aborting = new AbortController(); // of the last request

  constructor(api) {
    this.#api = api;
  }

  /** Set the filters, which are query parameters of the list, for the next refresh; returns whether they changed. */
  filter(filters) {
    if (this.#filters === filters) return false;
    this.#aborting.abort(); // outdated requests would delay the new ones
    this.#filters = filters;
    return true;
  }

  /** Show the stored board until the first refresh. */
  recall() {
    const kept = Kept.get("board");
    if (kept?.path === pathOf(this.#filters) && kept.items?.every(isTask)) this.#head = { ...kept, at: 0 };
  }

  /** Whether the loaded tasks are those with these filters. */
  isLoaded(filters) {
    return Boolean(this.#head?.at) && this.#head.path === pathOf(filters);
  }

  /** Whether a column has more tasks than are loaded. */
  hasMore(status) {
    return Boolean(this.#pages.size ? this.#pages.get(status).at(-1).next : this.#head?.next);
  }

  /**
   * Load changes.
   * @param seen ids of the tasks in view, whose pages are read at each refresh
   * @param showHead called when the first tasks of a new list are loaded, and the columns' pages are not
   */
  refresh(seen, showHead) {
    return this.#enqueue(async (signal) => {
      const filters = this.#filters;
      const path = pathOf(filters);
      const known = this.#head?.path === path ? this.#head : { path };
      const head = await this.#read(known, signal);
      if (head.next && !known.items) {
        [this.#head, this.#pages] = [head, new Map()];
        showHead();
      }
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

  /** Load the next page of a column. */
  loadMore(status) {
    return this.#enqueue(async (signal) => {
      const pages = this.#pages.get(status);
      const path = pages?.at(-1).next;
      if (path) pages.push(await this.#read({ path }, signal));
    });
  }

  /** Send requests after the pending ones; an aborted request is no error. */
  #enqueue(send) {
    const sent = this.#requests.then(async () => {
      this.#aborting = new AbortController();
      const { signal } = this.#aborting;
      await send(signal).catch((error) => (signal.aborted ? null : Promise.reject(error)));
    });
    this.#requests = sent.catch(() => {});
    return sent;
  }

  /** Read a page; if it is known and unchanged, the response has no body. */
  async #read(page, signal) {
    const at = Date.now();
    return { ...page, ...(await this.#api.page(page.path, page.tag, signal)), at };
  }

  /** Read the pages in view, and in turn one of the others: a page, or a visible task that is not listed. */
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
    if (!before) return; // a page before it has become the last
    const after = await this.#read(before, signal);
    pages[index] = after;
    if (after.next === before.next) return;
    if (!after.next) pages.length = index + 1;
    const following = pages[index + 1];
    if (!following) return;
    // The page ends elsewhere now. Until the next page is read from there, it takes the tasks that no longer fit.
    const last = after.items.at(-1);
    const items = [...before.items.filter((task) => !last || this.#isAfter(task, last)), ...following.items];
    pages[index + 1] = { ...following, path: after.next, tag: null, items };
  }

  /** Reload a visible task that is not listed. */
  async #look(written, signal) {
    const { id } = written.task;
    try {
      written.task = (await this.#api.look(id, signal)) ?? written.task;
    } catch (error) {
      if (error.status === 404 && this.#written.get(id) === written) this.#written.delete(id);
      // Otherwise it stays until its next turn.
    }
  }

  /** Whether a task comes after another in the chosen order. */
  #isAfter(task, other) {
    if (!/[?&]sort=due_at/.test(this.#head?.path)) return task.created_at < other.created_at;
    return (task.due_at ?? Infinity) > (other.due_at ?? Infinity);
  }

  /** The tasks by status, in order. */
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

  /** Overlay the result of a write. */
  put(task) {
    this.#written.set(task.id, { task, at: Date.now(), filters: this.#filters, isKept: false });
  }

  /** Hide a deleted task. */
  hide(id) {
    this.#deleted.set(id, Date.now());
  }

  unhide(id) {
    this.#deleted.delete(id);
  }

  #listed() {
    const head = this.#head?.items ?? [];
    const last = head.at(-1);
    // A column's page may be older than the head, so the head decides where they overlap.
    const own = [...this.#pages.values()].flat().flatMap(({ items }) => items);
    const beyond = own.filter((task) => !last || !this.#isAfter(last, task));
    const tasks = new Map();
    for (const task of [...head, ...beyond]) {
      // A task that moved between two requests is in both columns.
      if (tasks.has(task.id) && tasks.get(task.id).updated_at > task.updated_at) continue;
      tasks.delete(task.id);
      tasks.set(task.id, task);
    }
    return tasks;
  }

  /** Whether to show a written task that is not listed: always without filters. */
  #isInSight({ filters }) {
    return this.isLoaded("") || !this.#filters || this.isLoaded(filters) || this.#filters === filters;
  }

  /** Forget writes that lists read long enough after them must include. */
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
   * Whether a task belongs after the last loaded one. With filters, only the server knows: the task stays visible until the
   * filters change.
   */
  #isBeyondLoaded({ task, filters }) {
    if (!this.isLoaded("")) return this.isLoaded(filters);
    const last = this.#pages.get(task.status)?.at(-1);
    return Boolean(last?.next) && !(last.items.length && this.#isAfter(last.items.at(-1), task));
  }
}
