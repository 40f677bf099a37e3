/* A deletion: done at once, if the task is still as the user saw it, and undone from its notice. */

class Deletion {
  #task;
  #board;
  #removed;
  #notice;
  #isUndone = false;

  /**
   * @param task the task as the user saw it
   * @param board what shows the task again, or no longer: the board's actions
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
      return; // it is there, and the user is told
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
      notice.querySelector("button").focus(); // the card that had the focus is gone
    }
  }
}
