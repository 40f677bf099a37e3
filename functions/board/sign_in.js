/* Sign-in and sign-up: at the start, and over the board when a session ends. */

class SignIn {
  #dialog = byId("sign-in");
  #form = this.#dialog.querySelector("form");
  #done = null;

  constructor() {
    this.#dialog.addEventListener("cancel", (event) => event.preventDefault());
    this.#dialog.addEventListener("close", () => this.#done && this.#dialog.showModal());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(event.submitter?.value);
    });
  }

  /** Ask the user to sign in; all callers' promises settle when the user has. */
  ask = () => {
    this.#asked ??= new Promise((resolve) => {
      this.#done = resolve;
      const { username, password } = this.#form.elements;
      const before = Session.current?.username;
      if (before) username.value = before;
      password.value = "";
      this.#form.querySelector(".reason").textContent = before ? "Your session has ended. Nothing is lost: sign in to go on." : "";
      this.#form.querySelector(".message").textContent = "";
      this.#dialog.showModal();
      (before ? password : username).focus();
    });
    return this.#asked;
  };
  #asked = null;

  async #submit(action) {
    const { username, password } = this.#form.elements;
    const message = this.#form.querySelector(".message");
    await busy(this.#form, async () => {
      try {
        if (action === "sign-up") await this.#signUp(username.value, password.value);
        else await api.logIn(username.value, password.value);
      } catch (error) {
        message.textContent = textOf(error);
        password.select();
        return;
      }
      const done = this.#done;
      this.#done = this.#asked = null;
      this.#dialog.close();
      done();
    });
  }

  async #signUp(username, password) {
    try {
      await api.signUp(username, password);
    } catch (error) {
      if (error.status !== 409) throw error;
      // If the response to an earlier try was lost, the name is this user's own.
      await api.logIn(username, password).catch(() => Promise.reject(error));
      return;
    }
    await api.logIn(username, password);
  }
}
