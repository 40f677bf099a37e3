"""`make smoke`: checks a deployed API over HTTP, in about a minute."""

from __future__ import annotations

import argparse
import getpass
import os
import secrets
import sys
from collections.abc import Callable
from typing import TypeVar

import requests
from rich.console import Console
from rich.markup import escape

from tools.smoke import public, signed_in
from tools.smoke.client import Client, Failed, NotChecked
from tools.smoke.session import Session

PASSWORD = "TASK_API_PASSWORD"  # noqa: S105 (the name of a variable)

_Subject = TypeVar("_Subject")


class Report:
    """Runs checks, and prints their results."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self.failures = 0

    def run(self, check: Callable[[_Subject], None], subject: _Subject) -> bool:
        """Run one check, which its docstring describes; returns whether it did not fail."""
        title = escape((check.__doc__ or check.__name__).rstrip("."))
        try:
            check(subject)
        except NotChecked as error:
            self._console.print(f"[yellow]not checked[/]  {title}: {escape(str(error))}")
        except (Failed, requests.RequestException, LookupError, TypeError, ValueError) as error:
            self.failures += 1
            look_at = error.look_at if isinstance(error, Failed) else "the stack's dashboard, and its logs"
            self._console.print(f"[red]failed[/]       {title}: {escape(_text(error))}")
            self._console.print(f"             look at {escape(look_at)}")
            return False
        else:
            self._console.print(f"[green]ok[/]           {title}")
        return True


def _text(error: Exception) -> str:
    is_ours = isinstance(error, Failed | requests.RequestException)
    return str(error) if is_ours else f"a response has an unexpected form: {error!r}"


def main() -> int:
    """Check an API; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="make smoke URL=…",
        usage='%(prog)s [ARGS="--username NAME"]',
        description="Check a deployed API for behavior that only a real AWS account shows. "
        "It creates two tasks, and deletes them again.",
        epilog="Without a user, only the checks that need none run.",
    )
    parser.add_argument("url", help="URL of the API: the stack's output ApiUrl")
    parser.add_argument("--username", help=f"existing user; the password comes from {PASSWORD}, or a prompt")
    parser.add_argument(
        "--sign-up", action="store_true", help="create a user for the checks; it is not deleted"
    )
    given = parser.parse_args()
    url = given.url.rstrip("/")
    if not url.startswith(("https://", "http://")):
        parser.error(
            f"{given.url!r} is not a URL: give one such as https://abc123.execute-api.eu-west-1.amazonaws.com/v1"
        )
    report, anyone = Report(), Client(url)
    try:
        anyone("GET", "/docs")
    except requests.RequestException as error:
        print(f"error: {url} does not respond: {error}", file=sys.stderr)
        return 1
    for check in public.CHECKS:
        report.run(check, anyone)
    if given.sign_up or given.username:
        with _session(anyone.url, given.username) as session:
            if report.run(signed_in.user_can_sign_in, session):
                for each in signed_in.CHECKS:
                    report.run(each, session)
        for task in session.tasks:
            print(f"The task {task['id']} could not be removed: delete it.")
    else:
        print("Give --username or --sign-up to run the checks that need a user.")
    report.run(public.too_much_is_throttled, anyone)  # last, because it throttles later requests
    print(f"{report.failures} failed" if report.failures else "all is well")
    return 1 if report.failures else 0


def _session(url: str, username: str | None) -> Session:
    if username is None:
        name = f"smoke-{secrets.token_hex(6)}"
        return Session(url, name, secrets.token_urlsafe(24), is_new=True)
    password = os.environ.get(PASSWORD) or getpass.getpass(f"Password of {username}: ")
    return Session(url, username, password)


if __name__ == "__main__":
    sys.exit(main())
