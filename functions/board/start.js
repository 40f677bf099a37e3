/* Creates the parts of the page, and connects them. */

const LEAVING = 10_000; // milliseconds that signing out waits for pending changes

/** Allow dropping text into fields. Refuse other drops, which would replace the page. */
function guardDrop(event) {
  const isText = !event.dataTransfer.types.includes("Files") && event.target.closest?.("input, textarea");
  if (event.defaultPrevented || isText) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "none";
}
addEventListener("dragover", guardDrop);
addEventListener("drop", guardDrop);

const signIn = new SignIn();
const api = new Api(document.querySelector("meta[name=api]").content, signIn.ask);
const board = new Board();
const refresher = new Refresher(board);
new Keys(board);
const isTyping = () => [...document.querySelectorAll(".add, .editor")].some(hasTyped);
api.onWaiting = () => {
  const count = api.waiting;
  byId("waiting").textContent = count ? `Not sent yet: ${count} ${count > 1 ? "changes" : "change"}.` : "";
  board.render();
};
byId("sign-out").addEventListener("click", async ({ currentTarget: button }) => {
  const hasUnsent = api.waiting || document.querySelector(".unsent button"); // or refused titles
  const discarded = hasUnsent ? "is not sent yet" : isTyping() || Kept.hasDrafts ? "you typed" : "";
  if (discarded && !confirm(`Sign out, and discard what ${discarded}?`)) return;
  button.disabled = true;
  // Finish pending changes first, but sign out even if the server does not respond.
  await Promise.race([api.settled(), pause(LEAVING)]);
  api.logOut();
  location.reload();
});
addEventListener("beforeunload", (event) => {
  // The browser asks before it abandons pending changes, or drafts that are not stored.
  if (Session.current && (api.isAnyBusy || (isTyping() && !Store.isWhole))) event.preventDefault();
});
Session.onEnd(() => (isTyping() ? signIn.ask() : location.reload()));
if (!Session.current) await signIn.ask();
board.start();
