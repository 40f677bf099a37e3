/* Times as people read them, and as the form of a day has them. */

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const AGO = new Intl.RelativeTimeFormat();
const NOW = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(0, "second");
const UNITS = Object.entries({ year: 31_536_000, month: 2_592_000, day: 86_400, hour: 3_600, minute: 60 }); // in seconds

/** How long ago an instant was, roughly. */
function ago(seconds) {
  const age = Date.now() / 1_000 - seconds;
  const found = UNITS.find(([, length]) => age >= length);
  return found ? AGO.format(-Math.floor(age / found[1]), found[0]) : NOW;
}

/** Show an instant: its day, or another text; and the exact time to who asks. */
function showTime(element, seconds, text = DAY.format(seconds * 1_000)) {
  element.textContent = text;
  element.title = TIME.format(seconds * 1_000);
  element.dateTime = new Date(seconds * 1_000).toISOString();
}

/** The day of an instant where the user is, as a date input has it: 2026-12-05, which is how Swedes write it. */
function dayOf(seconds) {
  return new Date(seconds * 1_000).toLocaleDateString("sv");
}

/** The last second of a day where the user is. */
function endOf(day) {
  return new Date(`${day}T24:00`).getTime() / 1_000 - 1;
}
