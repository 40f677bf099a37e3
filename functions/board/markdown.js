/* A small Markdown: paragraphs, lists, code, bold, italic and links. It creates elements, never HTML text, so any input is safe. */

// No alternative backtracks, so the time is linear in the length of the text.
const INLINE = new RegExp(
  [
    /`([^`\n]+)`/,
    /\*\*(?!\s)((?:[^*\n]|\*(?!\*)|\*(?=\*\*(?!\*)))+)\*\*/,
    /(?<!\*)\*(?![\s*])([^*\n]*[^*\s])\*/,
    /\[([^[\]\n]+)\]\(([^()\s]+)\)/,
    /(https?:\/\/[^\s<>]*[^\s<>.,;:!?)\]'"*`])/,
  ].map(({ source }) => source).join("|"),
  "gi",
);
const ITEM = /^\s*(?:[-*+]|(\d{1,9})[.)])\s+(\S.*)$/;

/** Make a link to an http(s) URL or an address of this board; any other stays text. */
function link(href, words, whole) {
  const url = URL.canParse(href, location) && new URL(href, location);
  if (!["http:", "https:"].includes(url?.protocol)) return whole;
  const element = made("a", words);
  element.href = href;
  element.rel = "noopener noreferrer";
  if (!href.startsWith("#")) element.target = "_blank"; // drafts on this page stay
  return element;
}

/** Parse a line into texts and elements. */
function* inline(text) {
  let end = 0;
  for (const { 0: whole, 1: code, 2: strong, 3: italic, 4: words, 5: href, 6: url, index } of text.matchAll(INLINE)) {
    yield text.slice(end, index);
    end = index + whole.length;
    yield code ? made("code", code)
      : strong ? made("strong", ...inline(strong))
      : italic ? made("em", ...inline(italic))
      : link(href ?? url, words ?? url, whole);
  }
  yield text.slice(end);
}

/** Render a text as elements. */
function markdown(text) {
  const blocks = [];
  let kind; // of the current block, which the next line may continue
  for (const line of text.split(/\r\n?|\n/)) {
    const [, number, item] = ITEM.exec(line) ?? [];
    const before = kind;
    kind = item ? (number ? "ol" : "ul") : line.trim() && "p";
    if (!kind) continue;
    if (kind !== before) blocks.push(made(kind));
    const block = blocks.at(-1);
    if (item) {
      if (number && !block.children.length) block.start = Number(number);
      block.append(made("li", ...inline(item)));
    } else block.append(...(kind === before ? ["\n"] : []), ...inline(line));
  }
  return blocks;
}
