/* Times for people and for date inputs. */

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const AGO = new Intl.RelativeTimeFormat();
const NOW = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(0, "second");
const UNITS = Object.entries({ year: 31_536_000, month: 2_592_000, day: 86_400, hour: 3_600, minute: 60 }); // in seconds

/** Describe roughly how long ago a time was. */
function ago(seconds) {
  const age = Date.now() / 1_000 - seconds;
  const found = UNITS.find(([, length]) => age >= length);
  return found ? AGO.format(-Math.floor(age / found[1]), found[0]) : NOW;
}

/** Show a time: its day or another text, with the exact time as a tooltip. */
function showTime(element, seconds, text = DAY.format(seconds * 1_000)) {
  element.textContent = text;
  element.title = TIME.format(seconds * 1_000);
  element.dateTime = new Date(seconds * 1_000).toISOString();
}

/** Format a time as a date input does, such as 2026-12-05, in the user's zone. Swedish uses this format. */
function dayOf(seconds) {
  return new Date(seconds * 1_000).toLocaleDateString("sv");
}

/** The last second of a day in the user's zone. */
function endOf(day) {
  return new Date(`${day}T24:00`).getTime() / 1_000 - 1;
}
