/* A deletion that can be undone for a while, and the notices that tell of it. */

const UNDO = 8_000; // milliseconds

/** Deletes a task after a while, if it is still as the user saw it. */
class Deletion {
  #task;
  #on;
  #tag = null; // once the task was read again, and is as the user saw it
  #current;
  #notice;
  #timer;
  #isOver = false;

  /**
   * @param task the task as the user saw it
   * @param on what to call: end, when it cannot be undone any more; then undone, done, or failed with the reason
   */
  constructor(task, on) {
    this.#task = task;
    this.#on = on;
    this.#current = this.#read();
    this.#current.catch(() => {}); // who awaits it will tell
    this.#notice = toast(`Deleted “${task.title}”.`, ["Undo", () => this.undo()]);
    // Who is about to click has time.
    for (const event of ["mouseenter", "focusin"]) this.#notice.addEventListener(event, () => clearTimeout(this.#timer));
    for (const event of ["mouseleave", "focusout"]) this.#notice.addEventListener(event, () => this.#wait());
    this.#wait();
  }

  undo() {
    if (this.#end()) this.#on.undone();
  }

  /** Delete the task now, because the page is being left. */
  finishAtOnce() {
    if (this.#tag && this.#end()) api.remove(this.#task.id, this.#tag, true).catch(() => {});
  }

  async #finish() {
    if (!this.#end()) return;
    try {
      await this.#current;
      await api.remove(this.#task.id, this.#tag);
    } catch (error) {
      if (error.status === 412) return this.#on.failed("Somebody else has just changed it.");
      if (error.status !== 404) return this.#on.failed(error.text);
    }
    this.#on.done();
  }

  async #read() {
    const { task, tag } = await api.task(this.#task.id);
    if (!isSame(task, this.#task)) throw new Problem(412, {});
    this.#tag = tag;
  }

  #wait() {
    clearTimeout(this.#timer);
    if (!this.#isOver) this.#timer = setTimeout(() => this.#finish(), UNDO);
  }

  #end() {
    if (this.#isOver) return false;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#notice.remove();
    this.#on.end();
    return true;
  }
}

/** Show a notice: with a button until its owner removes it, else for a while. */
function toast(text, [name, act] = ["Close", null]) {
  const element = document.createElement("div");
  const words = document.createElement("span");
  const button = document.createElement("button");
  words.textContent = text;
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", act ?? (() => element.remove()));
  element.append(words, button);
  byId("toasts").append(element);
  announce(text);
  if (!act) setTimeout(() => element.remove(), 2 * UNDO);
  return element;
}

/** Tell those who hear the page instead of seeing it. */
function announce(text) {
  byId("announcement").textContent = text;
}
