/* The board's address: what is open, and the filters. It is the URL's fragment, such as `#/task/<id>?q=text&mine=1`. */

const FILTERS = ["q", "mine", "label", "sort"];

/** Parse an address: a place ("task", "trash" or ""), a task's id, and the filters by name. */
function address(hash = location.hash) {
  const [path, query] = hash.slice(1).split(/\?(.*)/s);
  const [, place = "", id = ""] = /^\/(task|trash)(?:\/([\w-]*))?$/.exec(path) ?? [];
  const filters = Object.fromEntries([...new URLSearchParams(query)].filter(([name, value]) => value && FILTERS.includes(name)));
  return { place, id, filters };
}

/** Format the address of a place. */
function addressOf(place, filters = {}) {
  const query = new URLSearchParams(filters);
  return `#${place && `/${place}`}${query.size ? `?${query}` : ""}`;
}

/** Go to a place. This adds an entry to the browser's history, or replaces the last one. */
function go(place, { filters = address().filters, isStep = true } = {}) {
  const next = addressOf(place, filters);
  if (next === (location.hash || "#")) return;
  history[isStep ? "pushState" : "replaceState"](null, "", next);
}
