/* The tasks: pages as the API lists them, and over them what this user has just done. */

const STATUSES = new Map([["PENDING", "Pending"], ["IN_PROGRESS", "In progress"], ["COMPLETED", "Completed"]]);
const PAGE_SIZE = 20;
const SETTLED = 3_000; // milliseconds after a write in which a list may be from before it: its index lags

class Tasks {
  #api;
  #pages = new Map([...STATUSES.keys()].map((status) => [status, []]));
  #written = new Map(); // by id: the task as this user's last write left it, and when that was
  #deleted = new Map(); // by id: when; Infinity while it can be undone
  #refreshes = Promise.resolve();

  constructor(api) {
    this.#api = api;
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
      const load = (status) => this.#load(status, this.#pages.get(status).length + (status === more ? 1 : 0));
      const changes = await Promise.all([...STATUSES.keys()].map(load));
      this.#forgetSettled(started);
      return changes.some(Boolean);
    });
    this.#refreshes = refreshed.catch(() => {});
    return refreshed;
  }

  async #load(status, count) {
    const before = this.#pages.get(status);
    const after = [];
    let path = `/tasks?status=${status}&limit=${PAGE_SIZE}`;
    while (path && after.length < Math.max(count, 1)) {
      const known = before.find((page) => page.path === path);
      after.push((await this.#api.page(path, known?.tag)) ?? known);
      path = after.at(-1).next;
    }
    this.#pages.set(status, after);
    return after.length !== before.length || after.some((page) => !before.includes(page));
  }

  /** The tasks by status, newest first. */
  columns() {
    const tasks = this.#listed();
    for (const [id] of this.#written) tasks.delete(id);
    const columns = new Map([...STATUSES.keys()].map((status) => [status, []]));
    for (const task of tasks.values()) columns.get(task.status).push(task);
    for (const { task } of this.#written.values()) {
      const column = columns.get(task.status);
      const older = column.findIndex((other) => other.created_at <= task.created_at);
      column.splice(older < 0 ? column.length : older, 0, task);
    }
    for (const [status, column] of columns) columns.set(status, column.filter(({ id }) => !this.#deleted.has(id)));
    return columns;
  }

  /** Show a task as a write left it. */
  put(task) {
    this.#written.set(task.id, { task, at: Date.now() });
  }

  /** Show a task no longer; from `when` on, in milliseconds, it is gone for good. */
  hide(id, when = Infinity) {
    this.#deleted.set(id, when);
  }

  unhide(id) {
    this.#deleted.delete(id);
  }

  #listed() {
    const tasks = new Map();
    for (const task of [...this.#pages.values()].flat().flatMap((page) => page.tasks)) {
      // One that moved between two requests is in both columns.
      if (tasks.has(task.id) && tasks.get(task.id).updated_at > task.updated_at) continue;
      tasks.delete(task.id);
      tasks.set(task.id, task);
    }
    return tasks;
  }

  /** Forget of this user's writes what a list that was read from `started` on has, or would have. */
  #forgetSettled(started) {
    const listed = this.#listed();
    for (const [id, { task, at }] of this.#written) {
      if (at + SETTLED < started && (listed.has(id) || !this.#isBeyondLoaded(task))) this.#written.delete(id);
    }
    for (const [id, at] of this.#deleted) {
      if (at + SETTLED < started) this.#deleted.delete(id);
    }
  }

  /** Whether a task's place is after the last that is loaded; one that was just moved there stays in sight. */
  #isBeyondLoaded(task) {
    const last = this.#pages.get(task.status).at(-1);
    return Boolean(last?.next) && task.created_at <= last.tasks.at(-1).created_at;
  }
}
