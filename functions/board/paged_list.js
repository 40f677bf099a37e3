/* A list that loads page by page. */

const PAGE_SIZE = 20;

class PagedList {
  #place;
  #row;
  #end;
  #path;
  #stale = []; // entries to remove when the new ones have loaded
  #last; // the last loaded entry
  #next = null; // the path of the next page
  #opening = new AbortController();
  #isLoading = false;

  /**
   * @param dialog the dialog that contains the list
   * @param row makes the element of an entry
   * @param end makes the note after the last entry, from that entry, which is undefined in an empty list
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

  /** Load the first page; returns whether it is still wanted when it has loaded or failed. */
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

  /** Remove an entry, and focus a neighbor. */
  remove(element) {
    const beside = element.nextElementSibling ?? element.previousElementSibling;
    (beside?.querySelector("button") ?? this.#close).focus();
    element.remove();
    this.update();
  }

  /** Update the note after the list. */
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
      // An empty page can have a next one.
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
      if (signal.aborted) return; // the list was closed or reused
      this.#find("message").textContent = error.status === 404 ? "It is not there any more." : textOf(error);
      if (error.status === 404) this.#next = null;
    }
    this.#isLoading = false;
    this.update();
  }

  get #close() {
    return this.dialog.querySelector(".close");
  }

  /** Find a part of the list outside of its entries. */
  #find(name) {
    return this.#place.querySelector(`:scope > .${name}`);
  }
}
