/* A task's card, and what other parts share with it. */

const TYPED = 300; // milliseconds after the last key
const DRAGGED = "application/x-task"; // the media type of a dragged card, which text fields do not accept

/** The fields that users edit, and their labels. */
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
const isOverdue = (task) => task.due_at !== null && task.due_at * 1_000 < Date.now() && task.status !== "COMPLETED";

/** Describe a field: its label and its value. */
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

/** The pressed keys, such as "ctrl+enter"; empty while an input method composes text. */
function pressed({ key = "", code = "", isComposing, keyCode, ctrlKey, metaKey, altKey, shiftKey }) {
  if (isComposing || keyCode === 229) return "";
  const name = code.startsWith("Key") && !/^[a-z]$/i.test(key) ? code.at(3) : key; // for layouts with other letters
  const isSign = /^[/?]$/.test(key); // some layouts need Shift for it
  return [(ctrlKey || metaKey) && "ctrl", altKey && "alt", shiftKey && !isSign && "shift", name].filter(Boolean).join("+").toLowerCase();
}

/** Whether a form has unsaved text. */
const hasTyped = (form) => [...form.elements].some(({ value, defaultValue = value }) => value !== defaultValue);

/** Act when the user pauses after typing. */
function whenTyped(input, act) {
  let timer;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(act, TYPED);
  });
}

/** Run an asynchronous action of a form, and ignore further submissions meanwhile. */
async function busy(form, act) {
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  try {
    await act();
  } finally {
    form.ariaBusy = "false";
  }
}

/** Make an element. */
function made(name, ...children) {
  const element = document.createElement(name);
  element.append(...children);
  return element;
}

/** Make the element of a template. */
function clone(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

/** Abbreviate a username to one or two letters. */
function initialsOf(username) {
  const [first, second] = username.split("@")[0].split(/[._-]+/).filter(Boolean);
  return (second ? first[0] + second[0] : (first ?? username).slice(0, 2)).toUpperCase();
}

/** Derive an element's color from a text. */
function tint(element, text) {
  const sum = [...text].reduce((all, letter) => (all * 31 + letter.codePointAt(0)) % 360, 0);
  element.style.setProperty("--hue", sum);
}

/** Make the element of a label: a link that filters by it. */
function chip(label) {
  const link = made("a", label);
  link.href = addressOf("", { label });
  link.draggable = false;
  tint(link, label);
  link.title = `Show what has the label ${label}`;
  const element = made("li", link);
  element.dir = "auto";
  return element;
}

/** Show the due date, if there is one. */
function showDue(element, task) {
  element.hidden = task.due_at === null;
  element.classList.toggle("overdue", isOverdue(task));
  element.querySelector(".word").textContent = isOverdue(task) ? "Overdue:" : "Due";
  showTime(element.querySelector("time"), task.due_at ?? 0);
}

class Card {
  element = clone("card");
  #article = this.element.querySelector("article");
  #wasOverdue = false;

  /** @param board opens, moves and removes the task */
  constructor(task, board) {
    this.#article.addEventListener("click", (event) => {
      const isLink = event.target.closest("a, button") && !event.target.closest("h3 a");
      if (isLink || event.ctrlKey || event.metaKey || event.shiftKey || !getSelection().isCollapsed) return;
      event.preventDefault();
      board.open(this.task.id);
    });
    const actions = this.element.querySelector(".actions");
    actions.addEventListener("click", () => board.openMenu(this, actions.getBoundingClientRect()));
    this.#article.addEventListener("contextmenu", (event) => {
      event.preventDefault();
      board.openMenu(this, event.pointerType ? { right: event.clientX, bottom: event.clientY } : actions.getBoundingClientRect());
    });
    this.#article.addEventListener("dragstart", (event) => event.dataTransfer.setData(DRAGGED, this.task.id));
    this.#article.addEventListener("animationend", () => this.#article.classList.remove("news"));
    this.update(task);
  }

  /** Show the task's current state. */
  update(task) {
    this.#article.toggleAttribute("data-is-waiting", api.isWaiting(task.id));
    const isKnown = this.task && isSame(this.task, task) && this.task.updated_at === task.updated_at;
    if (isKnown && isOverdue(task) === this.#wasOverdue) return;
    this.#wasOverdue = isOverdue(task);
    if (this.task) this.#article.classList.add("news");
    this.task = task;
    const find = (name) => this.#article.querySelector(name);
    this.#article.dataset.id = task.id;
    find("h3 a").textContent = task.title;
    find("h3 a").href = addressOf(`task/${task.id}`);
    find(".actions").ariaLabel = `Actions: ${task.title}`;
    showDue(find(".due"), task);
    find(".has-text").hidden = !task.description;
    find(".assignee").hidden = task.assignee === null;
    find(".assignee").title = task.assignee ?? "";
    find(".initials").textContent = initialsOf(task.assignee ?? "");
    tint(find(".initials"), task.assignee ?? "");
    find(".assignee .unseen").textContent = `Assignee: ${task.assignee}`;
    find(".labels").hidden = task.labels.length === 0;
    find(".labels").replaceChildren(...task.labels.map(chip));
    find(".plan").hidden = !task.description && task.due_at === null && task.assignee === null && task.labels.length === 0;
  }

  focus() {
    this.#article.focus();
  }
}
