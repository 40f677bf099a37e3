/* A task's card, and what is said of tasks everywhere. */

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
const isOverdue = (task) => task.due_at !== null && task.due_at * 1_000 < Date.now() && task.status !== "COMPLETED";

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
  const isSign = /^[/?]$/.test(key); // Shift makes it on some keyboards
  return [(ctrlKey || metaKey) && "ctrl", altKey && "alt", shiftKey && !isSign && "shift", name].filter(Boolean).join("+").toLowerCase();
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

/** One or two letters for a username. */
function initialsOf(username) {
  const [first, second] = username.split("@")[0].split(/[._-]+/).filter(Boolean);
  return (second ? first[0] + second[0] : (first ?? username).slice(0, 2)).toUpperCase();
}

/** Give an element a color of its own for a text, the same each time. */
function tint(element, text) {
  const sum = [...text].reduce((all, letter) => (all * 31 + letter.codePointAt(0)) % 360, 0);
  element.style.setProperty("--hue", sum);
}

/** Make the element of a label, which filters by it. */
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

/** Show when a task is due, in words; nothing where it is never. */
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

  /** Show the task as it is now. */
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
