/* A task's card, and its editor. */

const TYPED = 300; // milliseconds after the last key
const DRAGGED = "application/x-task"; // the type of a card that is dragged, whose id no field of text takes

/** What the user can change, and what it is called. */
const FIELDS = new Map([
  ["title", "title"],
  ["description", "description"],
  ["status", "status"],
  ["due_at", "due date"],
  ["assignee", "assignee"],
  ["labels", "labels"],
]);

const isEqual = (one, other) => JSON.stringify(one) === JSON.stringify(other); // labels are arrays
const isSame = (one, other) => [...FIELDS.keys()].every((name) => isEqual(one[name], other[name]));

/** A field of a task as people read it: its name and its value. */
function inWords(task, field) {
  const value = task[field];
  if (value === null || value.length === 0) return `no ${FIELDS.get(field)}`;
  const words =
    field === "status" ? STATUSES.get(value)
    : field === "due_at" ? TIME.format(value * 1_000)
    : field === "labels" ? value.join(", ")
    : value;
  return `the ${FIELDS.get(field)} “${words}”`;
}

const byId = (id) => document.getElementById(id);

/** The keys that are pressed, such as "ctrl+enter"; none while the user composes a character. */
function pressed({ key = "", code = "", isComposing, keyCode, ctrlKey, metaKey, altKey, shiftKey }) {
  if (isComposing || keyCode === 229) return "";
  const name = code.startsWith("Key") && !/^[a-z]$/i.test(key) ? code.at(3) : key; // where letters are not Latin
  return [(ctrlKey || metaKey) && "ctrl", altKey && "alt", shiftKey && "shift", name].filter(Boolean).join("+").toLowerCase();
}

/** Whether a form has text that was typed and is not saved. */
const hasTyped = (form) => [...form.elements].some(({ value, defaultValue = value }) => value !== defaultValue);

/** Act each time that the user has typed, and pauses. */
function whenTyped(input, act) {
  let timer;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(act, TYPED);
  });
}

/** One or two letters for a username. */
function initialsOf(username) {
  const [first, second] = username.split("@")[0].split(/[._-]+/).filter(Boolean);
  return (second ? first[0] + second[0] : (first ?? username).slice(0, 2)).toUpperCase();
}

/** The labels of a text that separates them by commas. One that has a comma itself, as other clients may make it, stays whole. */
function labelsOf(text, before) {
  const known = before.filter((label) => label.includes(",")).sort((one, other) => other.length - one.length);
  const whole = known.map((label) => label.replace(/[^\w\s]/g, "\\$&"));
  const parts = text.matchAll(new RegExp(`\\s*(${[...whole, "[^,]+"].join("|")})\\s*(?:,|$)`, "g"));
  return [...parts].map(([, label]) => label.trim().normalize()).filter(Boolean);
}

/** Make the element of a template. */
function clone(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

class Card {
  element = clone("card");
  #article = this.element.querySelector("article");
  #editor = null;
  #isOverdue = false;

  /**
   * @param task the task
   * @param actions the board, which removes and moves it
   */
  constructor(task, actions) {
    const on = (name, act) => this.element.querySelector(name).addEventListener("click", act);
    on(".edit", () => this.edit());
    on(".delete", () => actions.remove(this.task));
    on(".back", () => actions.move(this.task, -1));
    on(".forward", () => actions.move(this.task, 1));
    this.#article.addEventListener("dblclick", () => this.edit());
    this.#article.addEventListener("dragstart", (event) => event.dataTransfer.setData(DRAGGED, this.task.id));
    this.#article.addEventListener("keydown", (event) => actions.key(event, this));
    this.#article.addEventListener("animationend", () => this.#article.classList.remove("news"));
    this.actions = actions;
    this.update(task);
  }

  /** Show the task as it is now. */
  update(task) {
    const isOverdue = task.due_at !== null && task.due_at * 1_000 < Date.now() && task.status !== "COMPLETED";
    const isKnown = this.task && isSame(this.task, task) && this.task.updated_at === task.updated_at;
    if (isKnown && isOverdue === this.#isOverdue) return;
    this.#isOverdue = isOverdue;
    const isNews = Boolean(this.task) && !this.#editor;
    this.task = task;
    const find = (name) => this.#article.querySelector(name);
    find("h3").textContent = task.title;
    find(".description").textContent = task.description ?? "";
    find(".description").hidden = !task.description;
    showTime(find(".created time"), task.created_at);
    find(".due").hidden = task.due_at === null;
    find(".due").classList.toggle("overdue", isOverdue);
    find(".due .word").textContent = isOverdue ? "Overdue:" : "Due";
    showTime(find(".due time"), task.due_at ?? 0);
    find(".assignee").hidden = task.assignee === null;
    find(".assignee").title = task.assignee ?? "";
    find(".initials").textContent = initialsOf(task.assignee ?? "");
    find(".assignee .unseen").textContent = `Assignee: ${task.assignee}`;
    find(".labels").hidden = task.labels.length === 0;
    find(".labels").replaceChildren(...task.labels.map(chip));
    find(".plan").hidden = task.due_at === null && task.assignee === null && task.labels.length === 0;
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
      if (this.element.isConnected) this.focus();
      else byId("search").focus(); // which does not find it
    });
    this.#article.hidden = true;
    this.element.append(this.#editor.element);
    this.#editor.element.elements.title.select();
  }
}

/** Make the element of a label. */
function chip(label) {
  const element = document.createElement("li");
  element.dir = "auto";
  element.textContent = label;
  return element;
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
    const { title, description, status, due_at, assignee, labels } = this.element.elements;
    title.defaultValue = task.title;
    description.defaultValue = (task.description ?? "").replace(/\r\n?/g, "\n"); // the line ends of a textarea
    due_at.defaultValue = task.due_at === null ? "" : dayOf(task.due_at);
    assignee.defaultValue = task.assignee ?? "";
    labels.defaultValue = task.labels.join(", ");
    const people = this.element.querySelector("datalist");
    people.id = `people-${task.id}`;
    assignee.setAttribute("list", people.id);
    whenTyped(assignee, () => this.#suggest(assignee, people));
    for (const [value, name] of STATUSES) status.append(new Option(name, value, false, value === task.status));
    this.element.setAttribute("aria-label", `Edit ${task.title}`);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    this.element.querySelector(".cancel").addEventListener("click", () => this.#leave());
    this.element.querySelector(".history").addEventListener("click", () => actions.history(task));
    this.element.addEventListener("keydown", (event) => {
      if (pressed(event) === "escape") this.#leave();
      if (pressed(event) === "ctrl+enter") this.element.requestSubmit();
    });
  }

  /** Close without saving, unless the user wants to keep what was typed. */
  #leave() {
    if (!hasTyped(this.element) || confirm("Discard what you typed?")) this.#close();
  }

  /** What the user changed. */
  get #changes() {
    const { title, description, status, due_at, assignee, labels } = this.element.elements;
    const before = this.#before;
    const name = assignee.value.trim().toLowerCase();
    const wanted = {
      title: title.value.trim(),
      status: status.value,
      assignee: (name === "me" ? Session.current?.username.trim().toLowerCase() : name) || null,
      // Read only where they were touched: a due date has a time of day, too.
      description: description.value === description.defaultValue ? before.description : description.value || null,
      due_at: due_at.value === due_at.defaultValue ? before.due_at : due_at.value ? endOf(due_at.value) : null,
      labels: labels.value === labels.defaultValue ? before.labels : labelsOf(labels.value, before.labels),
    };
    return Object.fromEntries(Object.entries(wanted).filter(([field, value]) => !isEqual(value, before[field])));
  }

  /** Suggest users whose names begin as what is typed. */
  async #suggest(input, list) {
    const prefix = input.value.trim();
    const names = prefix ? await api.usernames(prefix).catch(() => []) : [];
    if (input.value.trim() === prefix) list.replaceChildren(...names.map((name) => new Option(name)));
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
      this.#finish((await api.change(task.id, changes, tag)).task);
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
    const current = api.task(this.#before.id);
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
      this.#say(textOf(error), choices);
    }
  }

  /** Whether the user was told that the task has become this one. */
  #knows(task) {
    return this.#known !== null && isSame(this.#known, task);
  }

  #explain(theirs) {
    this.#known = theirs;
    this.#actions.put(theirs);
    const now = [...FIELDS.keys()].filter((field) => !isEqual(theirs[field], this.#before[field]));
    const text = now.length ? `It has now ${now.map((field) => inWords(theirs, field)).join(", ")}.` : "";
    this.#say(`Somebody else changed this task meanwhile. ${text} What you typed is not saved yet.`, [
      ["Keep mine", () => this.element.requestSubmit()],
      ["Take theirs", () => this.#close()],
    ]);
  }

  async #createAgain() {
    const { title, description, status, assignee, due_at, labels } = { ...this.#before, ...this.#changes };
    await busy(this.element, async () => {
      try {
        this.#finish((await api.create({ title, description, status, assignee, due_at, labels })).task);
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
    const buttons = choices.map(([name, act]) => newButton(name, act));
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
