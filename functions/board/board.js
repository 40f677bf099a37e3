/* The board: columns of cards, what the user does with them, and what others do. */

const SOON = 4_000; // milliseconds between two refreshes while things change
const LATER = 30_000; // and when nothing has for a while
const LEAVING = 10_000; // milliseconds that signing out waits for what was done before

class Board {
  #tasks;
  #cards = new Map(); // by id
  #columns = new Map();
  #history = new TaskHistory();
  #trash;
  #isAwaited = false; // whether the user waits for what is found

  constructor() {
    this.#tasks = new Tasks(api);
    this.#trash = new Trash(this);
    for (const [status, name] of STATUSES) {
      const column = new Column(status, this);
      this.#columns.set(status, column);
      document.querySelector("main").append(column.element);
      const link = document.createElement("a");
      link.href = `#${column.element.id}`;
      link.textContent = name;
      document.querySelector("nav").append(link);
    }
    this.#tasks.filter(this.#filters);
    byId("search").addEventListener("input", () => this.render());
    whenTyped(byId("search"), () => this.#search());
    byId("mine").addEventListener("click", ({ currentTarget: mine }) => {
      mine.ariaPressed = mine.ariaPressed !== "true";
      this.#search();
    });
    addEventListener("keydown", (event) => {
      // What has the focus by the time that a held Enter repeats was not meant.
      if (event.repeat && event.key === "Enter" && !event.target.matches("textarea")) event.preventDefault();
      const last = [...document.querySelectorAll("#toasts .undo")].at(-1);
      const hasText = Boolean(event.target.value); // whose typing the browser undoes
      if (pressed(event) !== "ctrl+z" || hasText || !last) return;
      if (document.querySelector("dialog[open]")) return; // notices are behind it
      event.preventDefault();
      if (!event.repeat) last.click();
    });
  }

  /** Load the tasks again, and a page more of one column; returns whether anything had changed. */
  async refresh(more) {
    const hasChanged = await this.#tasks.refresh(more);
    this.render(); // where nothing has changed, too: a due date passes
    return hasChanged;
  }

  /** What the user wants to see, as parameters of the list. */
  get #filters() {
    const q = byId("search").value.trim().normalize(); // as titles are stored
    return { ...(q && { q }), ...(byId("mine").ariaPressed === "true" && { assignee: "me" }) };
  }

  #search() {
    this.#isAwaited = true;
    this.#tasks.filter(this.#filters);
    this.render();
    refresher.run();
  }

  render() {
    const isLoaded = this.#tasks.isLoaded(this.#filters);
    document.querySelector("main").ariaBusy = String(!isLoaded); // what it shows is not what is asked for
    const shown = new Map();
    for (const [status, tasks] of this.#tasks.columns()) shown.set(status, tasks.map((task) => this.#card(task)));
    const all = new Set([...shown.values()].flat());
    const focused = document.activeElement;
    const gone = [...this.#cards].filter(([, card]) => !all.has(card) && !card.isBeingEdited);
    // The one that has the focus goes last: then those beside it stay.
    gone.sort(([, one], [, other]) => one.element.contains(focused) - other.element.contains(focused));
    for (const [id, { element }] of gone) {
      if (element.contains(focused)) this.#focusBeside(element, byId("search"));
      element.remove();
      this.#cards.delete(id);
    }
    for (const [status, cards] of shown) this.#columns.get(status).show(cards, this.#tasks.hasMore(status), isLoaded);
    if (!isLoaded || !this.#isAwaited) return;
    this.#isAwaited = false;
    const hasMore = [...STATUSES.keys()].some((status) => this.#tasks.hasMore(status));
    announce(`Tasks found: ${all.size}${hasMore ? " or more" : ""}.`);
  }

  #card(task) {
    if (this.#cards.has(task.id)) this.#cards.get(task.id).update(task);
    else this.#cards.set(task.id, new Card(task, this));
    return this.#cards.get(task.id);
  }

  history(task) {
    this.#history.open(task);
  }

  /** Show a task no longer, because it is deleted, and know of it in the trash. */
  deleted(task) {
    this.#trash.deleted(task);
    this.gone(task.id);
  }

  notDeleted(task) {
    this.#tasks.unhide(task.id);
    this.render();
    refresher.run();
  }

  restored(task) {
    this.#tasks.unhide(task.id);
    this.#trash.forget(task.id);
    this.put(task);
  }

  focus(id) {
    this.#cards.get(id)?.focus();
  }

  chooseTitle(task) {
    byId("open-trash").focus(); // where the focus returns to
    this.#trash.deleted(task);
    this.#trash.open(task);
  }

  /** Show a task as a write left it. */
  put(task) {
    this.#tasks.put(task);
    this.render();
    refresher.soon();
  }

  /** Show a task no longer, because it is deleted. */
  gone(id) {
    this.#tasks.hide(id);
    this.render();
    refresher.soon();
  }

  moveTo(id, status) {
    const task = this.#cards.get(id)?.task;
    const keys = [...STATUSES.keys()];
    if (task && task.status !== status) this.move(task, keys.indexOf(status) - keys.indexOf(task.status));
  }

  async move(task, by) {
    const status = [...STATUSES.keys()][[...STATUSES.keys()].indexOf(task.status) + by];
    if (!status) return;
    this.put({ ...task, status });
    this.#cards.get(task.id)?.focus();
    announce(`${task.title} is now in ${STATUSES.get(status)}.`);
    try {
      // Whatever else somebody changes meanwhile, the move is as good.
      const moved = (await api.change(task.id, { status })).task;
      if (this.#cards.get(task.id)?.task.status === status) this.put(moved); // or it has moved on since
    } catch (error) {
      this.put(task);
      if (error.status === 404) this.gone(task.id);
      toast(`“${task.title}” was not moved. ${error.status === 404 ? "Somebody deleted it meanwhile." : textOf(error)}`);
    }
  }

  remove(task) {
    const { element } = this.#cards.get(task.id);
    this.#focusBeside(element, element.closest("section").querySelector(".add input"));
    this.#tasks.hide(task.id);
    this.render();
    new Deletion(task, this);
  }

  /** Focus a card beside one that goes, or what is there instead. */
  #focusBeside({ nextElementSibling, previousElementSibling }, instead) {
    const beside = [nextElementSibling, previousElementSibling].map((one) => one?.querySelector("article:not([hidden])"));
    (beside.find(Boolean) ?? instead).focus();
  }

  /** Show a task that another cannot have the title of. */
  async show(id) {
    if (!this.#cards.has(id)) {
      try {
        this.put((await api.task(id)).task);
      } catch (error) {
        toast(textOf(error));
        return;
      }
      // It would go again if it did not pass.
      byId("search").value = "";
      byId("mine").ariaPressed = "false";
      this.#search();
    }
    this.#cards.get(id)?.focus();
  }

  key(event, card) {
    if (event.target !== event.currentTarget) return;
    const act = {
      "enter": () => card.edit(),
      "delete": () => this.remove(card.task),
      "shift+arrowleft": () => this.move(card.task, -1),
      "shift+arrowright": () => this.move(card.task, 1),
      "arrowleft": () => this.#columnBeside(card, -1)?.focus(),
      "arrowright": () => this.#columnBeside(card, 1)?.focus(),
      "arrowdown": () => card.element.nextElementSibling?.querySelector("article").focus(),
      "arrowup": () => card.element.previousElementSibling?.querySelector("article").focus(),
    }[pressed(event)];
    if (!act) return;
    event.preventDefault();
    if (!event.repeat || pressed(event).startsWith("arrow")) act(); // a held key deletes and moves one task
  }

  #columnBeside(card, by) {
    const statuses = [...STATUSES.keys()];
    const column = this.#columns.get(statuses[statuses.indexOf(card.task.status) + by]);
    return column?.element.querySelector("article:not([hidden])") ?? column;
  }
}

/** Refreshes the board: often while things change, seldom when they do not, never when nobody looks. */
class Refresher {
  #delay = SOON;
  #timer = null;
  #isRunning = false;
  #isWanted = false; // whether to run again at once

  constructor(board) {
    this.board = board;
    addEventListener("online", () => this.run());
    document.addEventListener("visibilitychange", () => this.run());
  }

  /** Look again soon. */
  soon() {
    this.#delay = SOON;
    if (!this.#isRunning) this.#schedule();
  }

  async run() {
    clearTimeout(this.#timer);
    this.#isWanted = this.#isRunning;
    if (document.hidden || this.#isRunning) return;
    this.#isRunning = true;
    try {
      const hasChanged = await this.board.refresh();
      this.#delay = hasChanged ? SOON : Math.min(this.#delay * 1.5, LATER);
      byId("status").textContent = "";
    } catch (error) {
      this.#delay = Math.max(Math.min(this.#delay * 1.5, LATER), (error.wait ?? 0) * 1_000);
      byId("status").textContent = `Not up to date: ${textOf(error)} Trying again in ${Math.round(this.#delay / 1_000)} s.`;
    }
    this.#isRunning = false;
    byId("username").textContent = Session.current?.username ?? "";
    if (this.#isWanted) this.run();
    else this.#schedule();
  }

  #schedule() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.run(), this.#delay);
  }
}

/** Let text be dropped into fields, and nothing else be opened in place of the page. */
function guardDrop(event) {
  const isText = !event.dataTransfer.types.includes("Files") && event.target.closest?.("input, textarea");
  if (event.defaultPrevented || isText) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "none";
}
addEventListener("dragover", guardDrop);
addEventListener("drop", guardDrop);

const signIn = new SignIn();
const api = new Api(document.querySelector("meta[name=api]").content, signIn.ask);
const board = new Board();
const refresher = new Refresher(board);
const isTyping = () => [...document.querySelectorAll(".add, .editor")].some(hasTyped);
byId("sign-out").addEventListener("click", async ({ currentTarget: button }) => {
  if (isTyping() && !confirm("Sign out, and discard what you typed?")) return;
  button.disabled = true;
  // What the user has just done is done first; but nobody stays signed in for a server that does not respond.
  await Promise.race([api.settled(), pause(LEAVING)]);
  api.logOut();
  location.reload();
});
addEventListener("beforeunload", (event) => {
  // The browser asks whether to leave before all is done and saved.
  if (Session.current && (api.isAnyBusy || isTyping())) event.preventDefault();
});
Session.onEnd(() => (isTyping() ? signIn.ask() : location.reload()));
if (!Session.current) await signIn.ask();
board.render();
refresher.run();
