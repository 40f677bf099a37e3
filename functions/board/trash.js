/* The trash: deleted tasks until they expire. */

class Trash {
  #board;
  #dialog = byId("trash");
  #paged;
  #rows = new Map(); // rows of the list by id
  #deleted = new Map(); // this page's deletions by id; the list has them a moment later

  /** @param board shows restored tasks, and changes the address */
  constructor(board) {
    this.#board = board;
    const end = (_, count) => (count ? "" : "The trash is empty. What is deleted stays here for a while, and can be restored.");
    this.#paged = new PagedList(this.#dialog, (task) => this.#listed(task), end);
    this.#dialog.querySelector(".close").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => board.closedTrash());
  }

  /** Add a task that was just deleted. */
  deleted(task) {
    this.#deleted.set(task.id, { ...task, deleted_at: Date.now() / 1_000 });
  }

  /** Find a task that this page deleted. */
  find(id) {
    return this.#deleted.get(id);
  }

  /** Forget a task that is no longer in the trash. */
  forget(id) {
    this.#deleted.delete(id);
  }

  get isOpen() {
    return this.#dialog.open;
  }

  close() {
    this.#dialog.close();
  }

  /** Open the trash; if `wanted`, ask for another title of that task. */
  async open(wanted) {
    if (this.isOpen) return;
    this.#rows.clear();
    this.#paged.list.replaceChildren();
    this.#dialog.querySelector(".said").textContent = "";
    this.#dialog.showModal();
    if (!(await this.#paged.open(`/trash?limit=${PAGE_SIZE}`))) return;
    for (const task of this.#deleted.values()) {
      const isNew = task.deleted_at * 1_000 + SETTLED > Date.now();
      if ((isNew || task.id === wanted?.id) && !this.#rows.has(task.id)) this.#paged.list.prepend(this.#listed(task));
    }
    this.#paged.update();
    this.#rows.get(wanted?.id)?.askForTitle();
  }

  /** Make the row of a deleted task; calls `ended`, with the task if it was restored. */
  row(task, ended) {
    return this.#row(task, ended).element;
  }

  #row(task, ended) {
    const end = (text, restored) => {
      this.forget(task.id);
      const listed = this.#rows.get(task.id);
      this.#rows.delete(task.id);
      if (listed) this.#paged.remove(listed.element);
      if (restored) this.#board.restored(restored);
      ended(restored);
      announce(text);
    };
    return new TrashRow(task, {
      restored: (restored, text) => end(`“${restored.title}” ${text}`, restored),
      gone: (text) => end(text),
    });
  }

  #listed(task) {
    this.#rows.get(task.id)?.element.remove();
    this.#rows.set(task.id, this.#row(task, () => {}));
    return this.#rows.get(task.id).element;
  }
}

/** A deleted task in the trash. */
class TrashRow {
  element = clone("trashed");
  #task;
  #on;
  #form = this.#find("form");

  constructor(task, on) {
    this.#task = task;
    this.#on = on;
    this.#find("h3 a").textContent = task.title;
    this.#find("h3 a").href = addressOf(`task/${task.id}`);
    showTime(this.#find(".deleted time"), task.deleted_at, ago(task.deleted_at));
    this.#find(".kept").hidden = !task.expires_at;
    showTime(this.#find(".kept time"), task.expires_at ?? 0);
    for (const button of this.element.querySelectorAll("button")) {
      button.setAttribute("aria-label", `${button.textContent}: ${task.title}`);
    }
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      busy(this.#form, () => this.#restore());
    });
    const onClick = (name, act) => this.#find(name).addEventListener("click", act);
    onClick(".purge", () => this.#ask(true));
    onClick(".keep", () => this.#ask(false));
    onClick(".really", () => busy(this.#form, () => this.#purge()));
  }

  /** Ask for another title, because this one is taken. */
  askForTitle() {
    const { title } = this.#form.elements;
    this.#find("label").hidden = title.disabled = false;
    title.value ||= this.#task.title;
    this.#say(`Another task has the title “${title.value}” by now. Restore this one with another title.`);
    title.select();
  }

  /** Replace the buttons with the question whether to delete the task for good. */
  #ask(isAsking) {
    this.#find(".buttons").hidden = isAsking;
    this.#find(".question").hidden = !isAsking;
    this.#find(isAsking ? ".keep" : ".purge").focus();
  }

  async #restore() {
    const { title } = this.#form.elements;
    try {
      const { task } = await api.restore(this.#task.id, title.disabled ? undefined : title.value);
      this.#on.restored(task, "is on the board again.");
    } catch (error) {
      if (error.status === 404) this.#on.gone(`“${this.#task.title}” is no longer in the trash, and cannot be restored.`);
      else if (error.status === 409) this.askForTitle();
      else this.#say(textOf(error));
    }
  }

  async #purge() {
    try {
      const restored = await api.purge(this.#task.id);
      if (restored) this.#on.restored(restored.task, "was not deleted: somebody has restored it meanwhile.");
      else this.#on.gone(`“${this.#task.title}” is deleted for good.`);
    } catch (error) {
      this.#ask(false);
      this.#say(textOf(error));
    }
  }

  #say(text) {
    this.#find(".message").textContent = text;
  }

  #find(name) {
    return this.element.querySelector(name);
  }
}
