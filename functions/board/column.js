/* A column: the tasks of one status, and the form that adds one. */

class Column {
  element = clone("column");
  tab = newButton("", () => this.element.scrollIntoView({ inline: "start", block: "nearest" }));
  isShown = true; // until the observer reports
  #status;
  #board;
  #list = this.element.querySelector("ol");

  constructor(status, board) {
    const name = STATUSES.get(status);
    this.#status = status;
    this.#board = board;
    this.element.id = status.toLowerCase();
    this.element.setAttribute("aria-label", name);
    this.element.querySelector(".name").textContent = name;
    // A phone shows one column; its tab is marked.
    const seen = new IntersectionObserver(([{ isIntersecting }]) => {
      this.isShown = isIntersecting;
      this.tab.ariaCurrent = String(isIntersecting);
    }, { threshold: 0.6 });
    seen.observe(this.element);
    const form = this.element.querySelector(".add");
    this.#title.setAttribute("aria-label", `New task in ${name}`);
    this.#title.placeholder = "+ New task";
    form.addEventListener("input", () => this.#keepDraft());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const title = this.#title.value;
      this.#type("");
      this.focus();
      this.#add(title);
    });
    const more = this.element.querySelector(".more");
    more.addEventListener("click", async () => {
      more.disabled = true;
      await board.loadMore(status).catch((error) => toast(textOf(error)));
      more.disabled = false;
    });
    this.element.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes(DRAGGED)) return;
      event.preventDefault();
      this.element.classList.add("target");
    });
    this.element.addEventListener("dragleave", () => this.element.classList.remove("target"));
    this.element.addEventListener("drop", (event) => {
      this.element.classList.remove("target");
      board.moveTo(event.dataTransfer.getData(DRAGGED), status);
    });
  }

  /** Restore the draft, and send the titles that were not sent, of an earlier visit. */
  recall() {
    this.#title.value = Kept.get(this.#draft) ?? "";
    for (const [key, title] of Kept.all(this.#unsent)) this.#add(title, key);
  }

  #type(text) {
    this.#title.value = text;
    this.#keepDraft();
  }

  #keepDraft() {
    Kept.set(this.#draft, this.#title.value || null);
  }

  get #title() {
    return this.element.querySelector(".add input");
  }

  get #draft() {
    return `draft in ${this.#status}`;
  }

  /** Prefix of the storage keys of unsent titles. */
  get #unsent() {
    return `unsent in ${this.#status}: `;
  }

  /** Add a task. Its title stays visible and stored until the API accepts it; a refused title returns to the field. */
  async #add(title, key = randomKey()) {
    const row = made("li", title, " ", made("small", "Not sent yet"));
    const name = this.#unsent + key;
    const end = () => [row.remove(), Kept.set(name, null)];
    const message = this.element.querySelector(".add .message");
    Kept.set(name, title);
    this.element.querySelector(".unsent").append(row);
    message.textContent = "";
    try {
      this.#board.put((await api.create({ title, status: this.#status }, key)).task);
      end();
    } catch (error) {
      if (!this.#title.value) {
        message.textContent = textOf(error);
        this.#type(title);
        end();
      } else {
        const again = newButton("Type it again", () => [this.#type(title), this.focus(), end()]);
        row.replaceChildren(title, " ", made("small", textOf(error)), " ", again);
      }
    }
  }

  /**
   * Show cards in order; a card that does not move keeps the focus.
   * @param isLoaded whether the tasks come from the server, so that their number is shown
   */
  show(cards, hasMore, isLoaded) {
    const focused = document.activeElement;
    let next = this.#list.firstElementChild;
    for (const { element } of cards) {
      if (element === next) next = next.nextElementSibling;
      else this.#list.insertBefore(element, next);
    }
    if (focused !== document.activeElement && focused.isConnected) focused.focus();
    const count = isLoaded ? `${cards.length}${hasMore ? "+" : ""}` : "";
    this.element.querySelector(".count").textContent = count;
    this.tab.textContent = `${STATUSES.get(this.#status)} ${count}`;
    this.element.querySelector(".empty").textContent = cards.length || !isLoaded ? "" : hasMore ? "Nothing found yet." : "Nothing here.";
    this.element.querySelector(".more").hidden = !hasMore || !isLoaded;
  }

  focus() {
    this.#title.focus();
  }
}
