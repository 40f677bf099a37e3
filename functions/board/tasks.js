/* The tasks: pages as the API lists them, and over them what this user has just done. */

const STATUSES = new Map([["PENDING", "Pending"], ["IN_PROGRESS", "In progress"], ["COMPLETED", "Completed"]]);
const PAGE_SIZE = 20;
const SETTLED = 3_000; // milliseconds after a write in which a list may be from before it: its index lags

class Tasks {
  #api;
  #filters = ""; // of the tasks that are wanted, as parameters of the list
  #pages = new Map([...STATUSES.keys()].map((status) => [status, []]));
  #loaded = null; // the filters of these pages; null before the first
  // By id: the task as this user's last write left it, when that was, under which filters, and whether it has settled
  // and stays in sight though it is not listed.
  #written = new Map();
  #deleted = new Map(); // by id: when
  #refreshes = Promise.resolve();
  #aborting = new AbortController(); // of the last refresh

  constructor(api) {
    this.#api = api;
  }

  /** Want the tasks that pass filters, which are parameters of the list, from the next refresh on. */
  filter(filters) {
    const before = this.#filters;
    this.#filters = filters;
    if (this.#filters !== before) this.#aborting.abort(); // or what nobody waits for delays what is wanted
  }

  /** Whether what is loaded is what passes these filters. */
  isLoaded(filters) {
    return this.#loaded === filters;
  }

  /** Whether what these filters pass is loaded next. */
  isWanted(filters) {
    return this.#filters === filters;
  }

  /** Whether there are tasks that are not loaded. */
  hasMore(status) {
    return Boolean(this.#pages.get(status).at(-1)?.next);
  }

  /**
   * Load again what is loaded. What has not changed costs a response without a body.
   * @param more the status whose next page is loaded besides
   * @returns whether anything had changed
   */
  refresh(more) {
    const refreshed = this.#refreshes.then(async () => {
      const started = Date.now();
      const filters = this.#filters;
      this.#aborting = new AbortController();
      const { signal } = this.#aborting;
      const before = filters === this.#loaded ? this.#pages : new Map();
      const load = async (status) => {
        const pages = before.get(status) ?? [];
        return [status, await this.#load(status, filters, pages, pages.length + (status === more ? 1 : 0), signal)];
      };
      const looking = [...this.#written].map(([id, written]) => written.isKept && this.#look(id, written, signal));
      const loading = Promise.all([...STATUSES.keys()].map(load));
      const after = new Map(await loading.catch((error) => (signal.aborted ? [] : Promise.reject(error))));
      await Promise.all(looking);
      if (signal.aborted) return true; // who typed on waits for other tasks
      this.#pages = after;
      this.#loaded = filters;
      this.#forgetSettled(started);
      return [...after].some(([status, pages]) => {
        const known = before.get(status) ?? [];
        return pages.length !== known.length || pages.some((page) => !known.includes(page));
      });
    });
    this.#refreshes = refreshed.catch(() => {});
    return refreshed;
  }

  async #load(status, filters, before, count, signal) {
    const after = [];
    let path = `/tasks?status=${status}&limit=${PAGE_SIZE}${filters && `&${filters}`}`;
    while (path && after.length < Math.max(count, 1)) {
      const known = before.find((page) => page.path === path);
      after.push((await this.#api.page(path, known?.tag, signal)) ?? known);
      path = after.at(-1).next;
    }
    return after;
  }

  /** The tasks by status: newest first, or what is due soonest. */
  columns() {
    const isByDue = new URLSearchParams(this.#loaded ?? "").get("sort") === "due_at";
    const isAfter = (one, other) =>
      isByDue ? (one.due_at ?? Infinity) >= (other.due_at ?? Infinity) : one.created_at <= other.created_at;
    const tasks = this.#listed();
    const written = [...this.#written.values()].filter((one) => tasks.has(one.task.id) || this.#isInSight(one));
    for (const { task } of written) tasks.delete(task.id);
    const columns = new Map([...STATUSES.keys()].map((status) => [status, []]));
    for (const task of tasks.values()) columns.get(task.status).push(task);
    for (const { task } of written) {
      const column = columns.get(task.status);
      const after = column.findIndex((other) => isAfter(other, task));
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
    const tasks = new Map();
    for (const task of [...this.#pages.values()].flat().flatMap((page) => page.items)) {
      // One that moved between two requests is in both columns.
      if (tasks.has(task.id) && tasks.get(task.id).updated_at > task.updated_at) continue;
      tasks.delete(task.id);
      tasks.set(task.id, task);
    }
    return tasks;
  }

  /** Whether what was written is shown though it is not listed. Without a filter everything is. */
  #isInSight({ filters }) {
    return [this.#loaded, this.#filters].some((shown) => !shown || shown === filters);
  }

  /** Read again what is in sight though it is not listed: somebody may change or delete it. */
  async #look(id, written, signal) {
    try {
      const task = await this.#api.look(id, signal);
      if (task) written.task = task;
    } catch (error) {
      if (error.status === 404 && this.#written.get(id) === written) this.#written.delete(id);
      // Otherwise it stays until the next refresh, which tries again.
    }
  }

  /** Forget of this user's writes what a list that was read from `started` on has, or would have. */
  #forgetSettled(started) {
    const listed = this.#listed();
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
    if (this.#loaded) return this.#loaded === filters;
    const last = this.#pages.get(task.status).at(-1);
    return Boolean(last?.next) && task.created_at <= (last.items.at(-1)?.created_at ?? Infinity);
  }
}
