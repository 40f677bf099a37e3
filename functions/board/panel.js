/* The panel: one task with its text, fields and history, and its editor. */

class Panel {
  #dialog = byId("panel");
  #board;
  #id = null; // of the open task
  #task = null; // as shown; null until it is loaded
  #editor = null;
  #isHistoryOld = false;
  #history = new PagedList(this.#dialog, changeRow, endOfHistory);

  /** @param board finds, deletes and restores tasks, and changes the address */
  constructor(board) {
    this.#board = board;
    const on = (name, act) => this.#find(name).addEventListener("click", act);
    on(".edit", () => this.edit());
    on(".copy", () => board.copyLink(this.#id));
    on(".delete", () => board.remove(this.#task));
    on(".close", () => board.close());
    this.#dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      board.close();
    });
    this.#dialog.addEventListener("keydown", (event) => {
      if (pressed(event) !== "escape") return;
      event.preventDefault();
      board.close();
    });
  }

  /** The open task if it can be edited, else null. */
  get task() {
    return this.#isInTrash ? null : this.#task;
  }

  get id() {
    return this.#id;
  }

  get #isInTrash() {
    return Boolean(this.#task?.deleted_at);
  }

  /** Open a task, unless the user keeps a draft of another; returns whether it is open. */
  open(id) {
    if (id === this.#id) return true;
    if (this.#editor?.discard() === false) return false;
    this.#leave();
    this.#id = id;
    this.#task = null;
    const task = this.#board.cardOf(id)?.task;
    if (task) this.#show(task);
    else this.#load();
    if (!this.#dialog.open) {
      // Beside the board if there is room; modal on a phone, and over another modal dialog.
      const isAlone = matchMedia("(max-width: 44rem)").matches || document.querySelector("dialog:modal");
      this.#dialog[isAlone ? "showModal" : "show"]();
    }
    this.focus();
    return true;
  }

  /** Close the panel, unless the user keeps a draft; returns whether it is closed. */
  close() {
    if (!this.#dialog.open) return true;
    if (this.#editor?.discard() === false) return false;
    const [id, hadFocus] = [this.#id, this.#dialog.contains(document.activeElement)];
    this.#leave();
    this.#id = this.#task = null;
    this.#dialog.close();
    document.title = "Tasks";
    if (hadFocus && !document.querySelector("dialog:modal")) this.#board.focus(id);
    return true;
  }

  /** Show whether changes of the task wait for a connection. */
  showWaiting() {
    this.#dialog.toggleAttribute("data-is-waiting", api.isWaiting(this.#id));
  }

  /** Show the task's current state if it is open and not being edited. */
  update(task) {
    if (task.id !== this.#id || this.#editor) return;
    const isKnown = this.#task && !this.#isInTrash && isSame(task, this.#task) && task.updated_at === this.#task.updated_at;
    if (!isKnown) this.#show(task);
    else showDue(this.#find(".due"), task); // it may have become overdue
    this.#readHistory();
  }

  /** Reload an outdated history when no change of the task is pending. */
  #readHistory() {
    if (!this.#isHistoryOld || api.isBusy(this.#id)) return;
    this.#isHistoryOld = false;
    this.#history.open(`/tasks/${this.#id}/history?limit=${PAGE_SIZE}`);
  }

  /** Reload a task that is not in the loaded lists. */
  async refresh() {
    const [id, task] = [this.#id, this.task];
    if (!task || this.#editor) return;
    try {
      const now = await api.look(id);
      if (now && id === this.#id) this.update(now);
    } catch (error) {
      if (error.status === 404 && id === this.#id) await this.#load();
      // Otherwise the next refresh tries again.
    }
  }

  focus() {
    this.#find("h2").focus();
  }

  edit() {
    const task = this.task ?? draftOf(this.#id)?.before;
    if (!task || this.#editor) return;
    const editor = new Editor(task, this.#board, (saved) => this.#editor === editor && this.#endEdit(saved));
    this.#editor = editor;
    this.#find(".view").hidden = true;
    this.#find(".edit").disabled = true;
    this.#find(".view").after(this.#editor.element);
    this.#editor.element.elements.title.select();
  }

  #endEdit(saved) {
    this.#leave();
    this.focus();
    if (saved && saved.id !== this.#id) return this.#board.open(saved.id); // it was deleted and created again
    const now = saved ?? this.#board.cardOf(this.#id)?.task;
    if (now) this.#show(now);
    else this.#load();
  }

  #leave() {
    this.#find(".said").textContent = "";
    this.#editor?.element.remove();
    this.#editor = null;
    this.#find(".view").hidden = this.#find(".edit").disabled = false;
    this.#say("");
  }

  async #load() {
    const id = this.#id;
    if (!this.#task) this.#clear("Loading…");
    try {
      const found = await this.#board.look(id);
      if (id !== this.#id) return;
      if (found) this.#show(found);
      else if (found === null) {
        this.#clear("There is no such task", "It was deleted for good, or never was.");
        this.#offerDraft();
      } else this.#clear("The task is not on the board", "It may be in the trash.", ["Open the trash", () => this.#board.openTrash()]);
    } catch (error) {
      if (id === this.#id) this.#clear("The task is not shown", textOf(error), ["Try again", () => this.#load()]);
    }
  }

  /** Show why there is no task. */
  #clear(title, text = "", ...choices) {
    this.#task = null;
    this.#dialog.classList.add("bare");
    this.#find("h2").textContent = title;
    this.#say(text, choices);
  }

  #show(task) {
    this.#task = task;
    this.#say("");
    this.#dialog.classList.remove("bare");
    this.#dialog.classList.toggle("trashed", this.#isInTrash);
    document.title = `${task.title} – Tasks`;
    this.#find(".place").textContent = this.#isInTrash ? "In the trash" : STATUSES.get(task.status);
    this.#find("h2").textContent = task.title;
    this.#find(".text").replaceChildren(...markdown(task.description ?? ""));
    showDue(this.#find(".due"), task);
    this.#showField("assignee", task.assignee && [made("bdi", task.assignee)]);
    this.#showField("labels", task.labels.length && task.labels.map(chip));
    showTime(this.#find(".created time"), task.created_at);
    showTime(this.#find(".updated time"), task.updated_at, ago(task.updated_at));
    this.#find(".restoring").replaceChildren(...(this.#isInTrash ? [this.#board.trashRow(task)] : []));
    if (!this.#isInTrash) this.#offerDraft();
    this.#isHistoryOld = true;
    this.#readHistory();
  }

  /** Offer a draft of an earlier visit. */
  #offerDraft() {
    if (!draftOf(this.#id) || api.isBusy(this.#id)) return;
    const discard = () => [keepDraft(this.#id, null), this.#say(""), this.focus()];
    this.#say("What you typed here is not saved.", [["Go on", () => this.edit()], ["Discard it", discard]]);
  }

  /** Show a field, unless it is empty. */
  #showField(name, parts) {
    const place = this.#find(`.${name}`);
    place.closest("dl > div").hidden = !parts;
    place.replaceChildren(...(parts || []));
  }

  #say(text, choices = []) {
    say(this.#find(".view"), text, choices);
  }

  #find(name) {
    return this.#dialog.querySelector(name);
  }
}
