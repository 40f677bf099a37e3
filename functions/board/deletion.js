/* A deletion: sent immediately if the task is unchanged, with a notice that offers Undo. */

class Deletion {
  #task;
  #board;
  #removed;
  #notice;
  #isUndone = false;

  /**
   * @param task the task that the user saw
   * @param board the board, which shows or hides the task
   */
  constructor(task, board) {
    this.#task = task;
    this.#board = board;
    this.#removed = api.remove(task.id, (now) => isSame(now, task));
    this.#notice = this.#offerUndo(`Deleted “${task.title}”.`);
    this.#finish();
  }

  async #finish() {
    try {
      await this.#removed;
      if (!this.#isUndone) this.#board.deleted(this.#task);
    } catch (error) {
      this.#notice.remove();
      this.#board.notDeleted(this.#task);
      const reason = error.status === 412 ? "Somebody else has just changed it." : textOf(error);
      toast(`“${this.#task.title}” was not deleted. ${reason}`);
    }
  }

  #offerUndo(text) {
    const notice = toast(text, ["Undo", () => this.#undo()]);
    notice.querySelector("button").classList.add("undo");
    return notice;
  }

  async #undo() {
    const { id, title } = this.#task;
    this.#isUndone = true;
    this.#board.restored(this.#task);
    this.#board.focus(id);
    try {
      await this.#removed;
    } catch {
      return; // it was not deleted, and a notice says so
    }
    try {
      this.#board.put((await api.restore(id)).task);
      announce(`${title} is back.`);
    } catch (error) {
      this.#board.gone(id);
      const notice =
        error.status === 404 ? toast(`“${title}” cannot be restored: it is no longer in the trash.`)
        : error.status === 409 ?
          toast(`“${title}” was not restored: another task has this title by now.`, [
            "Choose another title",
            () => this.#board.chooseTitle(this.#task),
          ])
        : this.#offerUndo(`“${title}” was not restored. ${textOf(error)}`);
      notice.querySelector("button").focus(); // the focused card is gone
    }
  }
}
