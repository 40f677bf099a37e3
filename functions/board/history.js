/* A task's history: who did what and when, in words. */

const LONG = 60; // characters of a text that a sentence has room for

/** A text within a sentence: cut if it is long, and whatever its direction, the sentence keeps its own. */
function quoted(text, [open, close] = "“”") {
  const element = document.createElement("bdi");
  const characters = [...text];
  const isLong = characters.length > LONG;
  element.textContent = `${open}${isLong ? characters.slice(0, LONG).join("") : text}${isLong ? "…" : ""}${close}`;
  return element;
}

const named = (name) => quoted(name, ["", ""]);

/** Say that labels were added or removed; nothing of none. */
function labelsInWords(verb, labels) {
  if (!labels.length) return [];
  const list = labels.flatMap((label, index) => (index ? [", ", quoted(label)] : [quoted(label)]));
  return [[`${verb} the label${labels.length > 1 ? "s" : ""} `, ...list]];
}

/** By field: what was done when it changed, as phrases, which are texts and elements. */
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

/** All that a change did, as phrases. */
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

/** Who made a change: a user, or a key of one. */
function authorOf({ by, key_of }) {
  const element = document.createElement("b");
  element.append(by === null ? "Somebody" : named(by));
  return key_of === null ? [element] : [element, " (a key of ", named(key_of), ")"];
}

/** What a sentence has no room for, to be opened; nothing where there is nothing. */
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

/** What is said after the oldest change that is known. */
const endOfHistory = (oldest) =>
  oldest?.version === 1 ? "" : `${oldest ? "What was changed before" : "What was changed so far"} was not recorded.`;
