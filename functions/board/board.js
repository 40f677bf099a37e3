/* The board: columns of cards, the user's actions on them, and updates from others. */

class Board {
  #tasks = new Tasks(api);
  #cards = new Map(); // by id
  #columns = new Map();
  #menu = new Menu();
  #trash = new Trash(this);
  #panel = new Panel(this);
  #seen = new Set(); // ids of the cards that are in view
  #view = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) this.#seen[isIntersecting ? "add" : "delete"](target.firstElementChild.dataset.id);
  });
  #isAwaited = false; // whether to announce how many tasks the new filters found

  constructor() {
    for (const status of STATUSES.keys()) {
      const column = new Column(status, this);
      this.#columns.set(status, column);
      document.querySelector("main").append(column.element);
      document.querySelector("nav").append(column.tab);
    }
    byId("search").addEventListener("input", () => this.render());
    whenTyped(byId("search"), () => this.#filter({}));
    const toggles = { mine: ["mine", "1"], sort: ["sort", "due_at"] };
    for (const [id, [name, value]] of Object.entries(toggles)) {
      byId(id).addEventListener("click", () => this.#filter({ [name]: address().filters[name] ? "" : value }));
    }
    byId("label").addEventListener("click", () => [this.#filter({ label: "" }), byId("search").focus()]);
    byId("open-trash").addEventListener("click", () => this.openTrash());
    addEventListener("popstate", () => this.#route());
    document.addEventListener("click", (event) => this.#follow(event));
  }

  /** Show the board's address. */
  start() {
    this.#route();
    this.#tasks.recall();
    for (const column of this.columns) column.recall();
    this.render();
    refresher.run();
  }

  #route() {
    const { place, id, filters } = address();
    const opened = this.#panel.id;
    if (!(place === "task" ? this.#panel.open(id) : this.#panel.close())) return go(`task/${opened}`); // the user keeps the draft
    if (place === "trash") this.#trash.open();
    else if (place === "") this.#trash.close();
    if (this.#typed !== (filters.q ?? "")) byId("search").value = filters.q ?? "";
    byId("mine").ariaPressed = String(Boolean(filters.mine));
    byId("sort").ariaPressed = String(filters.sort === "due_at");
    byId("label").hidden = !filters.label;
    byId("label").textContent = filters.label ? `Label: ${filters.label}` : "";
    if (!this.#tasks.filter(this.#filters)) return;
    this.#isAwaited = true;
    this.render();
    refresher.run();
  }

  #go(place, options) {
    go(place, options);
    this.#route();
  }

  /** Change filters, and apply the text in the search field. */
  #filter(changes) {
    const before = address();
    const all = { ...before.filters, q: this.#typed, ...changes };
    const filters = Object.fromEntries(Object.entries(all).filter(([, value]) => value));
    const goesOn = Boolean(all.q && before.filters.q); // no history entry for each pause in typing
    this.#go(before.place === "task" ? `task/${before.id}` : before.place, { filters, isStep: !goesOn });
  }

  /** Follow a link within the page, and keep the filters. */
  #follow(event) {
    const link = event.target.closest?.("a[href^='#']");
    if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const { place, id, filters } = address(link.hash);
    this.#go(id ? `${place}/${id}` : place, { filters: { ...address().filters, ...filters } });
  }

  open(id) {
    this.#go(`task/${id}`);
  }

  /** Close the panel, unless the user keeps a draft. */
  close() {
    if (this.#panel.close()) this.#go(this.#trash.isOpen ? "trash" : "");
  }

  closedTrash() {
    if (address().place === "trash") this.#go("");
  }

  /** The card of a task, if it is loaded. */
  cardOf(id) {
    return this.#cards.get(id);
  }

  /** The open task, if it can be edited. */
  get openTask() {
    return this.#panel.task;
  }

  get columns() {
    return [...this.#columns.values()];
  }

  /** Find a task as `findAnywhere` does, or among the latest deletions of this page. */
  async look(id) {
    const found = await api.findAnywhere(id);
    return found ?? this.#trash.find(id) ?? found;
  }

  openTrash() {
    this.#go("trash");
  }

  /** The element that restores or purges a deleted task. */
  trashRow(task) {
    return this.#trash.row(task, (restored) => (restored ? this.#panel.focus() : this.close()));
  }

  /** Load changes. */
  async refresh() {
    await this.#tasks.refresh([...this.#seen, this.#panel.id], () => this.render());
    this.render(); // even without changes: a due date may have passed
    if (this.#panel.id && !this.#cards.has(this.#panel.id)) await this.#panel.refresh();
  }

  async loadMore(status) {
    await this.#tasks.loadMore(status);
    this.render();
  }

  /** The filters, as query parameters of the list. */
  get #filters() {
    const { mine, label, sort } = address().filters;
    const all = { q: this.#typed, assignee: mine && "me", label, sort };
    return String(new URLSearchParams(Object.entries(all).filter(([, value]) => value)));
  }

  /** The text in the search field, normalized as titles are. */
  get #typed() {
    return byId("search").value.trim().normalize();
  }

  render() {
    const isLoaded = this.#tasks.isLoaded(this.#filters);
    document.querySelector("main").ariaBusy = String(!isLoaded); // these are not yet the filtered tasks
    const shown = new Map();
    for (const [status, tasks] of this.#tasks.columns()) shown.set(status, tasks.map((task) => this.#card(task)));
    const all = new Set([...shown.values()].flat());
    const focused = document.activeElement;
    const gone = [...this.#cards].filter(([, card]) => !all.has(card));
    // Remove the focused card last, so that the focus moves to one that stays.
    gone.sort(([, one], [, other]) => one.element.contains(focused) - other.element.contains(focused));
    for (const [id, { element }] of gone) {
      if (element.contains(focused)) this.#focusBeside(element, byId("search"));
      element.remove();
      this.#cards.delete(id);
    }
    this.#panel.showWaiting();
    const open = this.#cards.get(this.#panel.id);
    if (open) this.#panel.update(open.task);
    for (const [status, cards] of shown) this.#columns.get(status).show(cards, this.#tasks.hasMore(status), isLoaded);
    if (!isLoaded || !this.#isAwaited) return;
    this.#isAwaited = false;
    const hasMore = [...STATUSES.keys()].some((status) => this.#tasks.hasMore(status));
    announce(`Tasks found: ${all.size}${hasMore ? " or more" : ""}.`);
  }

  #card(task) {
    const known = this.#cards.get(task.id);
    if (known) {
      known.update(task);
      return known;
    }
    const card = new Card(task, this);
    this.#cards.set(task.id, card);
    this.#view.observe(card.element);
    return card;
  }

  /** Remove a deleted task's card, and list the task in the trash. */
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
    (this.#cards.get(id) ?? byId("search")).focus();
  }

  chooseTitle(task) {
    byId("open-trash").focus(); // the focus returns here
    this.#trash.deleted(task);
    this.#trash.open(task);
    this.#go("trash");
  }

  async copyLink(id) {
    const link = new URL(addressOf(`task/${id}`), location).href;
    try {
      await navigator.clipboard.writeText(link);
      toast("The link is copied.");
    } catch {
      toast(`The browser does not let this page copy. The link is ${link}`);
    }
  }

  openMenu(card, at) {
    const { task } = card;
    card.focus();
    const places = [...STATUSES].filter(([status]) => status !== task.status);
    const moves = places.map(([status, name]) => [`Move to ${name}`, () => this.moveTo(task.id, status)]);
    this.#menu.open(`Actions: ${task.title}`, [
      ["Open", () => this.open(task.id)],
      ["Edit", () => this.edit(task.id)],
      ...moves,
      ["Copy link", () => this.copyLink(task.id)],
      ["Delete", () => this.remove(task)],
    ], at);
  }

  edit(id) {
    this.open(id);
    this.#panel.edit();
  }

  /** Show the result of a write. */
  put(task) {
    this.#tasks.put(task);
    this.render();
  }

  /** Remove a deleted task's card. */
  gone(id) {
    this.#tasks.hide(id);
    this.render();
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
      const moved = (await api.move(task.id, task.status, status)).task;
      if (this.#cards.get(task.id)?.task.status === status) this.put(moved); // it may have moved again
    } catch (error) {
      this.put(task);
      if (error.status === 404) this.gone(task.id);
      const reasons = { 404: "Somebody deleted it meanwhile.", 412: "Somebody else moved it meanwhile." };
      toast(`“${task.title}” was not moved. ${reasons[error.status] ?? textOf(error)}`);
    }
  }

  remove(task) {
    if (this.#panel.id === task.id) {
      if (!this.#panel.close()) return;
      this.#go("");
    }
    const element = this.#cards.get(task.id)?.element;
    if (element) this.#focusBeside(element, element.closest("section").querySelector(".add input"));
    this.#tasks.hide(task.id);
    this.render();
    new Deletion(task, this);
  }

  /** Focus the card after or before a removed one, or else another element. */
  #focusBeside({ nextElementSibling, previousElementSibling }, instead) {
    const beside = [nextElementSibling, previousElementSibling].map((one) => one?.querySelector("article"));
    (beside.find(Boolean) ?? instead).focus();
  }

  /** Show the task that already has a title. */
  async show(id) {
    if (document.querySelector("dialog:modal")) return this.open(id); // the dialog hides its card
    if (!this.#cards.has(id)) {
      try {
        this.put((await api.task(id)).task);
      } catch (error) {
        toast(textOf(error));
        return;
      }
      // Filters could hide it again.
      byId("search").value = "";
      this.#filter({ q: "", mine: "", label: "", sort: "" });
    }
    this.focus(id);
  }
}
