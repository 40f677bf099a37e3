/* The form that edits a task. */

/** The values of the form's fields for a task. */
const textsOf = ({ title, description, status, due_at, assignee, labels }) => ({
  title,
  description: (description ?? "").replace(/\r\n?/g, "\n"), // line ends as textareas have them
  status,
  due_at: due_at === null ? "" : dayOf(due_at),
  assignee: assignee ?? "",
  labels: labels.join(", "),
});

/** Split a text into labels at its commas. An existing label that contains a comma, as other clients may create, stays whole. */
function labelsOf(text, before) {
  const known = before.filter((label) => label.includes(",")).sort((one, other) => other.length - one.length);
  const whole = known.map((label) => label.replace(/[^\w\s]/g, "\\$&"));
  const parts = text.matchAll(new RegExp(`\\s*(${[...whole, "[^,]+"].join("|")})\\s*(?:,|$)`, "g"));
  return [...parts].map(([, label]) => label.trim().normalize()).filter(Boolean);
}

/** The unsaved draft of a task: values by field, and the task `before` the edit; or null. */
const draftOf = (id) => Kept.get(`draft of ${id}`);
const keepDraft = (id, draft) => Kept.set(`draft of ${id}`, draft);

/**
 * It saves only the fields that the user changed, and keeps concurrent changes of others. If both changed the same field, the
 * user decides.
 */
class Editor {
  element = clone("editor");
  #board;
  #close;
  #before; // the task that the user's edit started from
  #current; // the latest task and its ETag, or a promise of them; null if they must be read

  /**
   * @param board shows the saved task
   * @param close closes the editor; gets the saved task, if any
   */
  constructor(task, board, close) {
    this.#board = board;
    this.#close = close;
    const draft = draftOf(task.id);
    this.#before = draft?.before ?? task;
    this.#current = api.task(task.id).catch(() => null); // read it again when needed
    const { status, assignee } = this.element.elements;
    for (const [value, name] of STATUSES) status.append(new Option(name, value));
    this.#fill(this.#before, {});
    for (const [name, text] of Object.entries(draft?.texts ?? {})) this.element.elements[name].value = text;
    this.element.addEventListener("input", () => this.#keepDraft());
    whenTyped(assignee, () => this.#suggest(assignee, this.element.querySelector("datalist")));
    this.element.ariaLabel = `Edit ${task.title}`;
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    this.element.querySelector(".cancel").addEventListener("click", () => this.#leave());
    this.element.addEventListener("keydown", (event) => {
      if (pressed(event) === "ctrl+enter") this.element.requestSubmit();
      if (pressed(event) !== "escape") return;
      event.preventDefault();
      event.stopPropagation(); // the panel stays open
      this.#leave();
    });
  }

  /** Whether the user left the editor while it was saving. */
  get #isLeft() {
    return !this.element.isConnected;
  }

  /** Discard the draft if the user agrees; returns whether the editor may close. A save in progress continues. */
  discard() {
    if (this.element.ariaBusy === "true") return true;
    if (hasTyped(this.element) && !confirm("Discard what you typed?")) return false;
    keepDraft(this.#before.id, null);
    return true;
  }

  #leave() {
    if (this.discard()) this.#close();
  }

  /** Store the draft, in case the page closes before it is saved. */
  #keepDraft() {
    const texts = Object.fromEntries(Object.keys(textsOf(this.#before)).map((name) => [name, this.element.elements[name].value]));
    keepDraft(this.#before.id, hasTyped(this.element) ? { before: this.#before, texts } : null);
  }

  /** Close the editor when there is nothing to save. */
  #end() {
    keepDraft(this.#before.id, null);
    this.#close();
  }

  /** Fill the fields, except those that the user has changed. */
  #fill(task, changes) {
    for (const [name, text] of Object.entries(textsOf(task))) {
      const input = this.element.elements[name];
      const value = name in changes ? input.value : text;
      input.defaultValue = text;
      input.value = value;
    }
  }

  /** The fields that the user changed. */
  get #changes() {
    const { title, description, status, due_at, assignee, labels } = this.element.elements;
    const before = this.#before;
    const name = assignee.value.trim().toLowerCase();
    const wanted = {
      title: title.value.trim(),
      status: status.value,
      assignee: (name === "me" ? Session.current?.username.trim().toLowerCase() : name) || null,
      // Parse these only if they were edited: the field of the due date, for example, does not show its time.
      description: description.value === description.defaultValue ? before.description : description.value || null,
      due_at: due_at.value === due_at.defaultValue ? before.due_at : due_at.value ? endOf(due_at.value) : null,
      labels: labels.value === labels.defaultValue ? before.labels : labelsOf(labels.value, before.labels),
    };
    return Object.fromEntries(Object.entries(wanted).filter(([field, value]) => !isEqual(value, before[field])));
  }

  /** Suggest users whose names begin with the typed text. */
  async #suggest(input, list) {
    const prefix = input.value.trim();
    const names = prefix ? await api.usernames(prefix).catch(() => []) : [];
    if (input.value.trim() === prefix) list.replaceChildren(...names.map((name) => new Option(name)));
  }

  async #save() {
    await busy(this.element, async () => {
      try {
        await this.#change();
      } catch (error) {
        this.#current = null; // the next try reads the task again
        this.#tell(error);
      }
    });
  }

  async #change() {
    for (let tries = 1; ; tries += 1) {
      const changes = this.#changes;
      if (!Object.keys(changes).length) return this.#end();
      const { task, tag } = (await this.#current) ?? (await api.task(this.#before.id, true));
      // If the response to a change was lost, the retry is refused although the change is done.
      if (isSame(task, { ...this.#before, ...changes })) return this.#finish(task);
      const conflicts = this.#rebase(task, changes);
      if (conflicts.length) return this.#askFor(conflicts);
      try {
        return this.#finish((await api.change(task.id, this.#changes, tag)).task);
      } catch (error) {
        if (error.status !== 412 || tries === 3) throw error;
        this.#current = null; // somebody else changed it first
      }
    }
  }

  /** Rebase the edit onto the latest task; returns the fields that both changed. */
  #rebase(theirs, mine) {
    const changed = [...FIELDS.keys()].filter((field) => !isEqual(theirs[field], this.#before[field]));
    if (!changed.length) return [];
    const conflicts = changed.filter((field) => field in mine && !isEqual(mine[field], theirs[field]));
    if (conflicts.length && this.#isLeft) throw new Problem(412, { detail: "Somebody else changed the same." }, 0);
    this.#before = theirs;
    this.#fill(theirs, mine);
    this.#keepDraft();
    this.#board.put(theirs);
    const now = changed.map((field) => inWords(theirs, field)).join(", ");
    if (conflicts.length) this.#say(`Somebody else changed this task meanwhile. It has now ${now}. What you typed is not saved yet.`);
    return conflicts;
  }

  /** Ask which version of each conflicting field to keep, and save the decisions. */
  #askFor(fields) {
    const rows = fields.map((field) => {
      const row = made("div", made("span", `The ${FIELDS.get(field)}:`));
      row.role = "group";
      row.ariaLabel = FIELDS.get(field);
      const decide = () => {
        row.remove();
        const next = this.#choices.querySelector("button");
        if (next) next.focus();
        else this.element.requestSubmit();
      };
      const takeTheirs = () => {
        const input = this.element.elements[field];
        input.value = input.defaultValue;
        decide();
      };
      row.append(newButton("Keep mine", decide), newButton("Take theirs", takeTheirs));
      return row;
    });
    this.#choices.replaceChildren(...rows);
    this.#choices.querySelector("button").focus();
  }

  #tell(error) {
    if (this.#isLeft) {
      const { id, title } = this.#before;
      toast(`“${title}” was not saved. ${textOf(error)} What you typed is kept.`, ["Open it", () => this.#board.edit(id)]);
    } else if (error.status === 404) {
      this.#board.gone(this.#before.id);
      this.#say("Somebody else deleted this task meanwhile.", [
        ["Create it again", () => this.#createAgain()],
        ["Let it go", () => this.#end()],
      ]);
    } else {
      const choices = error.taskId ? [["Show that task", () => this.#board.show(error.taskId)]] : [];
      this.#say(textOf(error), choices);
    }
  }

  async #createAgain() {
    const { title, description, status, assignee, due_at, labels } = { ...this.#before, ...this.#changes };
    await busy(this.element, async () => {
      try {
        this.#finish((await api.create({ title, description, status, assignee, due_at, labels })).task);
      } catch (error) {
        this.#tell(error);
      }
    });
  }

  #finish(task) {
    keepDraft(this.#before.id, null);
    this.#board.put(task);
    this.#close(task);
  }

  #say(text, choices) {
    say(this.element, text, choices)[0]?.focus();
  }

  get #choices() {
    return this.element.querySelector(".choices");
  }
}
