/* A list of what the API has, a page at a time. */

const PAGE_SIZE = 20;

class PagedList {
  #place;
  #row;
  #end;
  #path;
  #stale = []; // entries that go once what is new is there
  #last; // the last entry that was loaded
  #next = null; // the path of the page that is not loaded yet
  #opening = new AbortController();
  #isLoading = false;

  /**
   * @param dialog what the list is a part of
   * @param row makes the element of an entry
   * @param end what is said after the last entry, which it gets; undefined where there is none
   */
  constructor(dialog, row, end) {
    this.dialog = dialog;
    this.#place = dialog.querySelector(".paged");
    this.#row = row;
    this.#end = end;
    this.#place.append(byId("paged").content.cloneNode(true));
    this.#find("more").addEventListener("click", () => this.#load());
    dialog.addEventListener("close", () => this.#opening.abort());
  }

  /** Load the first page; settles once it is there, or cannot be. Returns whether it is still wanted. */
  async open(path) {
    this.#opening.abort();
    this.#opening = new AbortController();
    this.#isLoading = false;
    this.#last = undefined;
    this.#next = path;
    if (path !== this.#path) this.list.replaceChildren();
    this.#path = path;
    this.#stale = [...this.list.children];
    this.#find("more").hidden = true;
    const { signal } = this.#opening;
    await this.#load();
    return !signal.aborted;
  }

  get list() {
    return this.#place.querySelector("ol");
  }

  /** Remove an entry, and focus one beside it. */
  remove(element) {
    const beside = element.nextElementSibling ?? element.previousElementSibling;
    (beside?.querySelector("button") ?? this.#close).focus();
    element.remove();
    this.update();
  }

  /** Say what there is to say after what is listed now. */
  update() {
    const more = this.#find("more");
    if (!this.#next && more === document.activeElement) this.#close.focus();
    more.hidden = !this.#next;
    this.#find("end").textContent = this.#next ? "" : this.#end(this.#last, this.list.children.length);
  }

  async #load() {
    if (this.#isLoading) return;
    const { signal } = this.#opening;
    this.#isLoading = true;
    this.#find("message").textContent = "";
    this.#find("end").textContent = "Loading…";
    try {
      let items = [];
      // A page can be empty, and another follow.
      while (this.#next && !items.length) {
        const page = await api.page(this.#next, null, signal);
        if (signal.aborted) return;
        items = page.items;
        this.#next = page.next;
        this.#last = items.at(-1) ?? this.#last;
      }
      for (const entry of this.#stale.splice(0)) entry.remove();
      this.list.append(...items.map((item) => this.#row(item)));
    } catch (error) {
      if (signal.aborted) return; // it is closed, or shows something else
      this.#find("message").textContent = error.status === 404 ? "It is not there any more." : textOf(error);
      if (error.status === 404) this.#next = null;
    }
    this.#isLoading = false;
    this.update();
  }

  get #close() {
    return this.dialog.querySelector(".close");
  }

  /** A part of the list; the entries may have what is called the same. */
  #find(name) {
    return this.#place.querySelector(`:scope > .${name}`);
  }
}
