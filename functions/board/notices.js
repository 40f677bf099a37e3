/* Notices, and announcements for screen readers. */

const SHOWN = 20_000; // milliseconds
const AT_ONCE = 4; // more notices would hide the board

/** Make a button. */
function newButton(name, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", act);
  return button;
}

/** Show a message with choices, which are names and actions; returns their buttons. */
function say(place, text, choices = []) {
  const buttons = choices.map(([name, act]) => newButton(name, act));
  place.querySelector(".message").textContent = text;
  place.querySelector(".choices").replaceChildren(...buttons);
  return buttons;
}

/** Show a notice for a while, and for as long as it is hovered or focused; returns its element. */
function toast(text, [name, act] = ["Close", () => {}]) {
  const element = document.createElement("div");
  const words = document.createElement("span");
  words.textContent = text;
  const close = () => element.remove();
  element.append(words, newButton(name, () => [close(), act()]));
  const toasts = byId("toasts");
  toasts.append(element);
  if (toasts.children.length > AT_ONCE) toasts.firstElementChild.remove();
  announce(text);
  const wait = () => setTimeout(() => (element.matches(":hover, :focus-within") ? wait() : element.remove()), SHOWN);
  wait();
  return element;
}

/** Announce a text to screen readers. In a modal dialog, the text is visible: readers ignore what is outside. */
function announce(text) {
  for (const place of [byId("announcement"), ...document.querySelectorAll("dialog:modal .said")]) place.textContent = text;
}
