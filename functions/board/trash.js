/* The trash: what was deleted, until its time there is over. */

class Trash {
  #board;
  #dialog;
  #rows = new Map(); // by id
  #deleted = new Map(); // by id: what was deleted here, which the list has a moment later

  /** @param board what shows a task that is restored, and a history: restored and history */
  constructor(board) {
    this.#board = board;
    const end = (_, count) => (count ? "" : "The trash is empty. What is deleted stays here for a while, and can be restored.");
    this.#dialog = new ListDialog((task) => this.#row(task), end);
    byId("open-trash").addEventListener("click", () => this.open());
  }

  /** Know of a task that was deleted just now. */
  deleted(task) {
    this.#deleted.set(task.id, { ...task, deleted_at: Date.now() / 1_000 });
  }

  /** Know of one that is there again. */
  forget(id) {
    this.#deleted.delete(id);
  }

  /** Open the trash; with a task, at it, to ask for another title. */
  async open(wanted) {
    this.#rows.clear();
    if (!(await this.#dialog.open("Trash", `/trash?limit=${PAGE_SIZE}`))) return;
    for (const task of this.#deleted.values()) {
      const isNew = task.deleted_at * 1_000 + SETTLED > Date.now();
      if ((isNew || task.id === wanted?.id) && !this.#rows.has(task.id)) this.#dialog.list.prepend(this.#row(task));
    }
    this.#dialog.update();
    this.#rows.get(wanted?.id)?.askForTitle();
  }

  #row(task) {
    this.#rows.get(task.id)?.element.remove();
    const row = new TrashRow(task, {
      history: () => this.#board.history(task),
      restored: (restored, text) => {
        this.#board.restored(restored);
        this.#remove(task.id, `“${restored.title}” ${text}`);
      },
      gone: (text) => this.#remove(task.id, text),
    });
    this.#rows.set(task.id, row);
    return row.element;
  }

  #remove(id, text) {
    const { element } = this.#rows.get(id);
    this.#rows.delete(id);
    this.forget(id);
    this.#dialog.remove(element, text);
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
    this.#find("h3").textContent = task.title;
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
    onClick(".history", () => on.history());
    onClick(".purge", () => this.#ask(true));
    onClick(".keep", () => this.#ask(false));
    onClick(".really", () => busy(this.#form, () => this.#purge()));
  }

  /** Say that the title is taken, and ask for another. */
  askForTitle() {
    const { title } = this.#form.elements;
    this.#find("label").hidden = title.disabled = false;
    title.value ||= this.#task.title;
    this.#say(`Another task has the title “${title.value}” by now. Restore this one with another title.`);
    title.select();
  }

  /** Ask whether to delete it for good, in place of the other buttons. */
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
