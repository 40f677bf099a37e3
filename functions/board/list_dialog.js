/* A dialog that lists what the API has, a page at a time. */

class ListDialog {
  #dialog = clone("list");
  #row;
  #end;
  #last; // the last entry that was loaded
  #next = null; // the path of the page that is not loaded yet
  #opening = new AbortController();
  #isLoading = false;

  /**
   * @param row makes the element of an entry
   * @param end what is said after the last entry, which it gets; undefined where there is none
   */
  constructor(row, end) {
    this.#row = row;
    this.#end = end;
    document.body.append(this.#dialog);
    this.#find(".close").addEventListener("click", () => this.#dialog.close());
    this.#find(".more").addEventListener("click", () => this.#load());
    this.#dialog.addEventListener("close", () => this.#opening.abort());
  }

  /** Open it; settles once the first page is there, or cannot be. Returns whether it is still open. */
  async open(title, path) {
    this.#opening.abort();
    this.#opening = new AbortController();
    this.#isLoading = false;
    this.#last = undefined;
    this.#next = path;
    this.#find("h2").textContent = this.#dialog.ariaLabel = title;
    this.list.replaceChildren();
    this.#find(".end").textContent = this.#find(".message").textContent = this.#find(".said").textContent = "";
    this.#find(".more").hidden = true;
    this.#dialog.showModal();
    const { signal } = this.#opening;
    await this.#load();
    return !signal.aborted;
  }

  get list() {
    return this.#find("ol");
  }

  /** Remove an entry, say why, and focus one beside it. */
  remove(element, text) {
    const beside = element.nextElementSibling ?? element.previousElementSibling;
    (beside?.querySelector("button") ?? this.#find(".close")).focus();
    element.remove();
    this.update();
    announce(text);
  }

  /** Say what there is to say after what is listed now. */
  update() {
    const more = this.#find(".more");
    if (!this.#next && more === document.activeElement) this.#find(".close").focus();
    more.hidden = !this.#next;
    this.#find(".end").textContent = this.#next ? "" : this.#end(this.#last, this.list.children.length);
  }

  async #load() {
    if (this.#isLoading) return;
    const { signal } = this.#opening;
    this.#isLoading = true;
    this.#find(".message").textContent = "";
    this.#find(".said").textContent = "Loading…";
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
      this.list.append(...items.map((item) => this.#row(item)));
      this.#find(".said").textContent = "";
    } catch (error) {
      if (signal.aborted) return; // it is closed, or shows something else
      this.#find(".said").textContent = "";
      this.#find(".message").textContent = error.status === 404 ? "It is not there any more." : textOf(error);
      if (error.status === 404) this.#next = null;
    }
    this.#isLoading = false;
    this.update();
  }

  /** A part of the dialog; the entries may have what is called the same. */
  #find(name) {
    return this.#dialog.querySelector(`:scope > ${name}, :scope > header > ${name}`);
  }
}
