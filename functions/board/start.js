/* What is there from the start, until the page goes. */

const LEAVING = 10_000; // milliseconds that signing out waits for what was done before

/** Let text be dropped into fields, and nothing else be opened in place of the page. */
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
  const hasUnsent = api.waiting || document.querySelector(".unsent button"); // or what was refused
  const discarded = hasUnsent ? "is not sent yet" : isTyping() || Kept.hasDrafts ? "you typed" : "";
  if (discarded && !confirm(`Sign out, and discard what ${discarded}?`)) return;
  button.disabled = true;
  // What the user has just done is done first; but nobody stays signed in for a server that does not respond.
  await Promise.race([api.settled(), pause(LEAVING)]);
  api.logOut();
  location.reload();
});
addEventListener("beforeunload", (event) => {
  // The browser asks whether to leave before all is done, and saved or kept.
  if (Session.current && (api.isAnyBusy || (isTyping() && !Store.isWhole))) event.preventDefault();
});
Session.onEnd(() => (isTyping() ? signIn.ask() : location.reload()));
if (!Session.current) await signIn.ask();
board.start();
