/* A task's history in sentences: who did what, and when. */

const LONG = 60; // characters of a text within a sentence

/** Quote a text within a sentence: shortened, and isolated so that its direction does not affect the sentence. */
function quoted(text, [open, close] = "“”") {
  const element = document.createElement("bdi");
  const characters = [...text];
  const isLong = characters.length > LONG;
  element.textContent = `${open}${isLong ? characters.slice(0, LONG).join("") : text}${isLong ? "…" : ""}${close}`;
  return element;
}

const named = (name) => quoted(name, ["", ""]);

/** Describe added or removed labels; empty if there are none. */
function labelsInWords(verb, labels) {
  if (!labels.length) return [];
  const list = labels.flatMap((label, index) => (index ? [", ", quoted(label)] : [quoted(label)]));
  return [[`${verb} the label${labels.length > 1 ? "s" : ""} `, ...list]];
}

/** By field: phrases for a change, made of texts and elements. */
const PHRASES = {
  title: (before, after) => [["renamed it from ", quoted(before), " to ", quoted(after)]],
  description: (before, after) => [[`${!before ? "added a" : after ? "changed the" : "removed the"} description`]],
  status: (_, after) => [[`moved it to ${STATUSES.get(after) ?? after}`]],
  due_at: (_, after) => [[after === null ? "removed the due date" : `set the due date to ${TIME.format(after * 1_000)}`]],
  assignee: (before, after) => [after === null ? ["unassigned ", named(before)] : ["assigned it to ", named(after)]],
  labels: (before, after) => {
    const added = labelsInWords("added", after.filter((label) => !before?.includes(label)));
    const removed = labelsInWords("removed", (before ?? []).filter((label) => !after.includes(label)));
    return added.length + removed.length ? [...added, ...removed] : [["reordered the labels"]];
  },
};

const DEEDS = { "task.created": "created it", "task.deleted": "deleted it", "task.restored": "restored it" };

/** The phrases of a change. */
function phrasesOf({ type, changes }) {
  const isNew = type === "task.created";
  const fields = Object.entries(changes).filter(([field]) => !(isNew && ["title", "status"].includes(field)));
  const phrases = fields.flatMap(([field, [before, after]]) => PHRASES[field]?.(before, after) ?? [[`changed the ${FIELDS.get(field) ?? field}`]]);
  if (isNew) {
    const [title, status] = [changes.title?.[1], changes.status?.[1] ?? "PENDING"];
    const place = status === "PENDING" ? "" : ` in ${STATUSES.get(status) ?? status}`;
    phrases.unshift([`created it${place}`, ...(title ? [" as ", quoted(title)] : [])]);
  } else if (DEEDS[type]) phrases.unshift([DEEDS[type]]);
  return phrases.length ? phrases : [["changed it"]];
}

/** The author of a change: a user, or a user's API key. */
function authorOf({ by, key_of }) {
  const element = document.createElement("b");
  element.append(by === null ? "Somebody" : named(by));
  return key_of === null ? [element] : [element, " (a key of ", named(key_of), ")"];
}

/** A disclosure with texts that are too long for a sentence; empty if there are none. */
function wholeOf(field, values) {
  const texts = (values ?? []).map((value) => value ?? "");
  const isLong = field === "description" || texts.some((text) => [...text].length > LONG);
  if (!isLong || !texts.some(Boolean)) return [];
  const element = clone("whole");
  element.querySelector("summary").textContent = `The ${FIELDS.get(field)} before and after`;
  element.querySelectorAll("dd").forEach((place, index) => (place.textContent = texts[index] || "(nothing)"));
  return [element];
}

/** Make the element of a change. */
function changeRow(change) {
  const element = clone("change");
  const phrases = phrasesOf(change).flatMap((phrase, index, all) => {
    const joint = index === 0 ? " " : index < all.length - 1 ? ", " : " and ";
    return [joint, ...phrase];
  });
  element.querySelector("p").prepend(...authorOf(change), ...phrases, ", ");
  showTime(element.querySelector("time"), change.at, ago(change.at));
  element.append(...["title", "description"].flatMap((field) => wholeOf(field, change.changes[field])));
  return element;
}

/** The note after the oldest known change. */
const endOfHistory = (oldest) =>
  oldest?.version === 1 ? "" : `${oldest ? "What was changed before" : "What was changed so far"} was not recorded.`;
