/* Keyboard shortcuts: global ones, those for a task, and those on a card. */

const TYPED_IN = "input, textarea, select, [contenteditable]";

class Keys {
  #board;

  constructor(board) {
    this.#board = board;
    document.addEventListener("keydown", (event) => this.#press(event));
    for (const button of document.querySelectorAll("#keys .close, #open-keys")) {
      button.addEventListener("click", () => byId("keys")[byId("keys").open ? "close" : "showModal"]());
    }
  }

  /** Run a shortcut, except while typing or in a dialog. */
  #press(event) {
    const { target, repeat } = event;
    const keys = pressed(event);
    // When a held Enter repeats, the focus may have moved.
    if (repeat && event.key === "Enter" && !target.matches("textarea")) event.preventDefault();
    const hasText = Boolean(target.value); // the browser's own undo applies to it
    const isTyped = keys === "ctrl+z" ? hasText : target.matches(TYPED_IN);
    const modal = document.querySelector("dialog:modal");
    if (isTyped || event.defaultPrevented || (modal && modal.id !== "panel")) return;
    const card = target.matches("article") ? this.#board.cardOf(target.dataset.id) : null;
    const open = target.closest("#panel") || target === document.body ? this.#board.openTask : null;
    const task = target.closest("form") ? null : (card?.task ?? open);
    const act = { ...(!modal && this.#anywhere), ...(task && this.#ofTask(task)), ...(card && this.#onCard(card)) }[keys];
    if (!act) return;
    event.preventDefault();
    if (!repeat || keys.startsWith("arrow")) act(); // a held key acts on one task
  }

  get #anywhere() {
    const last = [...document.querySelectorAll("#toasts .undo")].at(-1);
    const { columns } = this.#board;
    return {
      "/": () => byId("search").select(),
      "n": () => (columns.find((column) => column.isShown) ?? columns[0]).focus(),
      "?": () => byId("keys").showModal(),
      ...(last && { "ctrl+z": () => last.click() }),
    };
  }

  /** The shortcuts for the focused or open task. */
  #ofTask(task) {
    return {
      "e": () => this.#board.edit(task.id),
      "delete": () => this.#board.remove(task),
      "shift+arrowleft": () => this.#board.move(task, -this.#rightward),
      "shift+arrowright": () => this.#board.move(task, this.#rightward),
    };
  }

  #onCard({ task, element: { nextElementSibling: below, previousElementSibling: above } }) {
    const beside = (by) => () => {
      const column = this.#board.columns[[...STATUSES.keys()].indexOf(task.status) + by];
      (column?.element.querySelector("article") ?? column)?.focus();
    };
    return {
      "enter": () => this.#board.open(task.id),
      "escape": () => this.#board.close(),
      "arrowleft": beside(-this.#rightward),
      "arrowright": beside(this.#rightward),
      "arrowdown": () => below?.querySelector("article").focus(),
      "arrowup": () => above?.querySelector("article").focus(),
    };
  }

  /** The next column to the right, as a step in order: -1 in right-to-left layouts. */
  get #rightward() {
    return getComputedStyle(document.body).direction === "rtl" ? -1 : 1;
  }
}
