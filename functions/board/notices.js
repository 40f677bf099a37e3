/* Notices, and what those are told who hear the page instead of seeing it. */

const SHOWN = 20_000; // milliseconds
const AT_ONCE = 4; // more notices would hide what they are about

/** Make a button. */
function newButton(name, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", act);
  return button;
}

/** Say something at a place that has a message and choices: names and actions; returns their buttons. */
function say(place, text, choices = []) {
  const buttons = choices.map(([name, act]) => newButton(name, act));
  place.querySelector(".message").textContent = text;
  place.querySelector(".choices").replaceChildren(...buttons);
  return buttons;
}

/** Show a notice for a while, and as long as somebody points at it or has the focus in it; returns its element. */
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

/** Tell those who hear the page; in an open dialog, outside of which nothing is read, everybody. */
function announce(text) {
  for (const place of [byId("announcement"), ...document.querySelectorAll("dialog:modal .said")]) place.textContent = text;
}
