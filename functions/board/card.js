/* A task's card, and its editor. */

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const FIELDS = ["title", "description", "status"];

const isSame = (one, other) => FIELDS.every((name) => one[name] === other[name]);

const byId = (id) => document.getElementById(id);

/** Make the element of a template. */
function clone(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

class Card {
  element = clone("card");
  #article = this.element.querySelector("article");
  #editor = null;

  /**
   * @param task the task
   * @param actions what the board does: edit, remove and move
   */
  constructor(task, actions) {
    const on = (name, act) => this.element.querySelector(name).addEventListener("click", act);
    on(".edit", () => this.edit());
    on(".delete", () => actions.remove(this.task));
    on(".back", () => actions.move(this.task, -1));
    on(".forward", () => actions.move(this.task, 1));
    this.#article.addEventListener("dblclick", () => this.edit());
    this.#article.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", this.task.id));
    this.#article.addEventListener("keydown", (event) => actions.key(event, this));
    this.#article.addEventListener("animationend", () => this.#article.classList.remove("news"));
    this.actions = actions;
    this.update(task);
  }

  /** Show the task as it is now. */
  update(task) {
    if (this.task && isSame(this.task, task) && this.task.updated_at === task.updated_at) return;
    const isNews = Boolean(this.task) && !this.#editor;
    this.task = task;
    const find = (name) => this.#article.querySelector(name);
    find("h3").textContent = task.title;
    find(".description").textContent = task.description ?? "";
    find(".description").hidden = !task.description;
    find("time").textContent = DAY.format(task.created_at * 1_000);
    find("time").title = TIME.format(task.created_at * 1_000);
    find("time").dateTime = new Date(task.created_at * 1_000).toISOString();
    const names = [...STATUSES.values()];
    const place = [...STATUSES.keys()].indexOf(task.status);
    this.#label(find(".back"), names[place - 1] && `Move to ${names[place - 1]}`);
    this.#label(find(".forward"), names[place + 1] && `Move to ${names[place + 1]}`);
    this.#label(find(".edit"), "Edit");
    this.#label(find(".delete"), "Delete");
    if (isNews) this.#article.classList.add("news");
  }

  /** Name a button; without a name there is nothing it could do. */
  #label(button, name) {
    button.hidden = !name;
    button.setAttribute("aria-label", `${name}: ${this.task.title}`);
    button.title = name ?? "";
  }

  get isBeingEdited() {
    return this.#editor !== null;
  }

  focus() {
    this.#article.focus();
  }

  edit() {
    if (this.#editor) return;
    this.#editor = new Editor(this.task, this.actions, () => {
      this.#editor.element.remove();
      this.#editor = null;
      this.#article.hidden = false;
      this.actions.render();
      this.focus();
    });
    this.#article.hidden = true;
    this.element.append(this.#editor.element);
    this.#editor.element.elements.title.select();
  }
}

/**
 * The form that a card becomes while it is edited. It saves what the user changed and no more, and only over the version
 * that it shows: when somebody else was faster, the user decides.
 */
class Editor {
  element = clone("editor");
  #actions;
  #close;
  #before;
  #current; // a promise of the task as it is now, with its tag; null when it could not be read
  #known = null; // what the user was told that the task has become

  constructor(task, actions, close) {
    this.#before = task;
    this.#actions = actions;
    this.#close = close;
    this.#read();
    const { title, description, status } = this.element.elements;
    title.value = task.title;
    description.value = task.description ?? "";
    for (const [value, name] of STATUSES) status.append(new Option(name, value, false, value === task.status));
    this.element.setAttribute("aria-label", `Edit ${task.title}`);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    this.element.querySelector(".cancel").addEventListener("click", close);
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.element.requestSubmit();
    });
  }

  /** What the user changed. */
  get #changes() {
    const { title, description, status } = this.element.elements;
    const wanted = { title: title.value.trim(), description: description.value || null, status: status.value };
    return Object.fromEntries(Object.entries(wanted).filter(([name, value]) => value !== this.#before[name]));
  }

  async #save() {
    const changes = this.#changes;
    if (!Object.keys(changes).length) return this.#close();
    await busy(this.element, async () => {
      try {
        await this.#change(changes);
      } catch (error) {
        this.#tell(error);
      }
    });
  }

  async #change(changes) {
    try {
      const { task, tag } = await (this.#current ?? this.#read());
      if (!isSame(task, this.#before) && !this.#knows(task)) return this.#explain(task);
      this.#finish((await this.#actions.api.change(task.id, changes, tag)).task);
    } catch (error) {
      const current = this.#read(); // the next try starts from what is there now
      if (error.status !== 412) throw error;
      const now = (await current).task;
      // Of a change whose response was lost, too, the repetition is refused.
      if (isSame(now, { ...this.#before, ...changes })) this.#finish(now);
      else this.#explain(now);
    }
  }

  #read() {
    const current = this.#actions.api.task(this.#before.id);
    this.#current = current;
    current.catch(() => {
      if (this.#current === current) this.#current = null; // it is read again when it is needed
    });
    return current;
  }

  #tell(error) {
    if (error.status === 404) {
      this.#actions.gone(this.#before.id);
      this.#say("Somebody else deleted this task meanwhile.", [
        ["Create it again", () => this.#createAgain()],
        ["Let it go", () => this.#close()],
      ]);
    } else {
      const choices = error.taskId ? [["Show that task", () => this.#actions.show(error.taskId)]] : [];
      this.#say(error.text ?? "Something went wrong on this page. Try again.", choices);
    }
  }

  /** Whether the user was told that the task has become this one. */
  #knows(task) {
    return this.#known !== null && isSame(this.#known, task);
  }

  #explain(theirs) {
    this.#known = theirs;
    this.#actions.put(theirs);
    const now = FIELDS.filter((name) => theirs[name] !== this.#before[name]).map(
      (name) => `${name} “${name === "status" ? STATUSES.get(theirs[name]) : (theirs[name] ?? "")}”`,
    );
    const text = now.length ? `It has now the ${now.join(", the ")}.` : "";
    this.#say(`Somebody else changed this task meanwhile. ${text} What you typed is not saved yet.`, [
      ["Keep mine", () => this.element.requestSubmit()],
      ["Take theirs", () => this.#close()],
    ]);
  }

  async #createAgain() {
    const { title, description, status, assignee, due_at, labels } = { ...this.#before, ...this.#changes };
    await busy(this.element, async () => {
      try {
        this.#finish((await this.#actions.api.create({ title, description, status, assignee, due_at, labels })).task);
      } catch (error) {
        this.#tell(error);
      }
    });
  }

  #finish(task) {
    this.#actions.put(task);
    this.#close();
  }

  #say(text, choices = []) {
    this.element.querySelector(".message").textContent = text;
    const buttons = choices.map(([name, act]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", act);
      return button;
    });
    this.element.querySelector(".choices").replaceChildren(...buttons);
    buttons[0]?.focus();
  }
}

/** Do something that takes time with a form; meanwhile it cannot be sent again. */
async function busy(form, act) {
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  try {
    await act();
  } finally {
    form.ariaBusy = "false";
  }
}
