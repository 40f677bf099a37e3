/* The menu of a card. */

class Menu {
  #element = byId("menu");

  constructor() {
    this.#element.addEventListener("keydown", (event) => {
      const items = [...this.#element.children];
      const place = items.indexOf(document.activeElement);
      const next = { arrowdown: place + 1, arrowup: place - 1, home: 0, end: -1 }[pressed(event)];
      if (next !== undefined) items.at(next % items.length).focus();
      else if (pressed(event) === "tab") this.#element.hidePopover();
      else return;
      event.preventDefault();
    });
  }

  /**
   * Open the menu; when it closes, the focus returns.
   * @param name of the menu
   * @param items names and actions
   * @param at the place: a point, or a rectangle under whose end the menu opens
   */
  open(name, items, { right, bottom, left = right }) {
    const buttons = items.map(([text, act]) => newButton(text, () => [this.#element.hidePopover(), act()]));
    for (const button of buttons) [button.role, button.tabIndex] = ["menuitem", -1];
    this.#element.ariaLabel = name;
    this.#element.replaceChildren(...buttons);
    this.#element.showPopover();
    const { width, height } = this.#element.getBoundingClientRect();
    const isEndRight = getComputedStyle(this.#element).direction === "ltr" && left !== right;
    const inSight = (place, length, room) => `${Math.max(0, Math.min(place, room - length))}px`;
    this.#element.style.left = inSight(isEndRight ? right - width : left, width, innerWidth);
    this.#element.style.top = inSight(bottom, height, innerHeight);
    buttons[0].focus();
  }
}
