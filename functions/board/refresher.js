/* Refreshing: shows others' changes within seconds. */

const OFTEN = 4_000; // milliseconds between refreshes
const SELDOM = 30_000; // milliseconds between refreshes after repeated failures

/** Refreshes the board while the page is visible. */
class Refresher {
  #delay = OFTEN;
  #timer = null;
  #isRunning = false;
  #isWanted = false; // whether to run again immediately

  constructor(board) {
    this.board = board;
    addEventListener("online", () => this.run());
    document.addEventListener("visibilitychange", () => this.run());
  }

  async run() {
    clearTimeout(this.#timer);
    this.#isWanted = this.#isRunning;
    if (document.hidden || this.#isRunning) return;
    this.#isRunning = true;
    try {
      await this.board.refresh();
      this.#delay = OFTEN;
      byId("status").textContent = "";
    } catch (error) {
      this.#delay = Math.max(Math.min(this.#delay * 1.5, SELDOM), (error.wait ?? 0) * 1_000);
      byId("status").textContent = `Not up to date: ${textOf(error)} Trying again in ${Math.round(this.#delay / 1_000)} s.`;
    }
    this.#isRunning = false;
    byId("username").textContent = Session.current?.username ?? "";
    if (this.#isWanted) this.run();
    else this.#timer = setTimeout(() => this.run(), this.#delay);
  }
}
