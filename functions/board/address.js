/* The address: what is open, and which tasks are shown. It is what stands after #, such as `#/task/<id>?q=text&mine=1`. */

const FILTERS = ["q", "mine", "label", "sort"];

/** What an address says: a place, which is "task", "trash" or "", the id of a task, and filters by name. */
function address(hash = location.hash) {
  const [path, query] = hash.slice(1).split(/\?(.*)/s);
  const [, place = "", id = ""] = /^\/(task|trash)(?:\/([\w-]*))?$/.exec(path) ?? [];
  const filters = Object.fromEntries([...new URLSearchParams(query)].filter(([name, value]) => value && FILTERS.includes(name)));
  return { place, id, filters };
}

/** The address of a place. */
function addressOf(place, filters = {}) {
  const query = new URLSearchParams(filters);
  return `#${place && `/${place}`}${query.size ? `?${query}` : ""}`;
}

/** Go to a place: one step of the browser's history, or in place of the last. */
function go(place, { filters = address().filters, isStep = true } = {}) {
  const next = addressOf(place, filters);
  if (next === (location.hash || "#")) return;
  history[isStep ? "pushState" : "replaceState"](null, "", next);
}
