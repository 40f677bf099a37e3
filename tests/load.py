"""Load clients: each knows the expected state of its own tasks, even when functions are killed."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from tests.local_stack import Client, await_condition

STATUSES = ("PENDING", "IN_PROGRESS", "COMPLETED")
_MOST = 6
"""Most tasks that a client keeps: those of 16 clients fit on a page of 100."""

Document = dict[str, Any]


class Progress:
    """Counts the requests of all clients, and stops all clients when one finds a fault."""

    def __init__(self) -> None:
        self.requests = 0
        self.has_failed = False
        self.seen: Counter[str] = Counter()
        """How often each kind of event happened."""
        self._goal = 0
        self._changed = threading.Condition()

    def aim(self, requests: int) -> None:
        """Let clients send this many more requests."""
        self._goal = self.requests + requests

    @property
    def is_over(self) -> bool:
        return self.has_failed or self.requests >= self._goal

    def step(self) -> None:
        with self._changed:
            self.requests += 1
            self._changed.notify_all()

    def note(self, what: str) -> None:
        with self._changed:
            self.seen[what] += 1

    def fail(self) -> None:
        with self._changed:
            self.has_failed = True
            self._changed.notify_all()

    def wait_for(self, more: int) -> bool:
        """Wait until this many more requests were sent; returns False if the clients have stopped."""
        with self._changed:
            moment = self.requests + more
            self._changed.wait_for(lambda: self.requests >= moment or self.is_over)
            return not self.is_over


@dataclass
class Known:
    """A task in the state that its client expects."""

    document: Document
    version: int
    create: dict[str, Any]
    """The request that created it: its body, and its headers, with an idempotency key or without."""
    first: Document

    @property
    def path(self) -> str:
        return f"/tasks/{self.document['id']}"

    @property
    def etag(self) -> str:
        return f'"{self.version}"'


class LoadClient:
    """Changes its own tasks, which no other client touches, and checks each response against their state.

    The outcome of a request whose function was killed is unknown. The client retries it in a way that applies
    the change only once, as the API's documentation recommends.
    """

    def __init__(self, user: Client, progress: Progress, number: int, seed: int) -> None:
        self.random = random.Random(f"{seed} {number}")  # noqa: S311 (repeatable, not secret)
        self.tasks: list[Known] = []
        self.gone: list[Known] = []
        self.created: list[str] = []
        """Titles of all tasks ever stored."""
        self._client = Client(user.url, user.token)
        self._progress = progress
        self._names = (f"Load {number}: {n}" for n in itertools.count())
        self._prefix = f"Load {number}:"
        self._list_may_lag = False

    def run(self) -> None:
        acts: list[Callable[[], None]] = [
            self.create, self.change, self.rename, self.swap, self.delete, self.restore, self.read,
            self.list_all, self.list_all, self.list_status, self.take_title, self.change_stale,
            self.look_for_gone, self.repeat_create, self.reuse_key,
        ]  # fmt: skip
        try:
            while not self._progress.is_over:
                act = self.create if len(self.tasks) < 2 else self.random.choice(acts)
                (self.delete if len(self.tasks) > _MOST else act)()
        except BaseException:
            self._progress.fail()
            raise
        finally:
            self._client.session.close()

    def create(self) -> None:
        self._settle_creation({"title": next(self._names), "status": self.random.choice(STATUSES)})

    def _settle_creation(self, body: Document) -> None:
        key = {"Idempotency-Key": body["title"].replace(" ", "-")} if self.random.random() < 0.5 else {}
        how = {"json": {"description": None, **body}, "headers": key}
        answer, is_certain = self._insist("POST", "/tasks", **how)
        if answer.status_code == 409:
            assert not is_certain, answer.text
            assert not key, answer.text
            answer = self._ask("GET", f"/tasks/{answer.json()['task_id']}")
            self._list_may_lag = True
            expect(answer, 200)
        else:
            expect(answer, 201)
            assert not (is_certain and "Idempotency-Replayed" in answer.headers)
        self.created.append(body["title"])
        document = answer.json()
        assert document.items() >= how["json"].items(), answer.text
        assert answer.headers["ETag"] == '"1"'
        self.tasks.append(Known(document, 1, how, document))

    def change(self) -> None:
        task = self._any()
        others = [status for status in STATUSES if status != task.document["status"]]
        changes = {"status": self.random.choice(others), "description": f"after {task.etag}"}
        self._patch(task, changes)

    def rename(self) -> None:
        self._patch(self._any(), {"title": f"{next(self._names)}, renamed"})

    def swap(self) -> None:
        one, other = self.random.sample(self.tasks, 2)
        titles = one.document["title"], other.document["title"]
        self._patch(one, {"title": f"{next(self._names)}, between"})
        self._patch(other, {"title": titles[0]})
        self._patch(one, {"title": titles[1]})

    def _patch(self, task: Known, changes: Document) -> None:
        answer = self._write_once("PATCH", task, json=changes)
        if answer.status_code == 412:  # the first try succeeded
            answer = self._ask("GET", task.path)
        expect(answer, 200)
        document = answer.json()
        assert document == {**task.document, **changes, "updated_at": document["updated_at"]}, answer.text
        assert document["updated_at"] >= task.document["updated_at"]
        task.document, task.version = document, task.version + 1
        assert answer.headers["ETag"] == task.etag, "the change was applied twice"

    def delete(self) -> None:
        task = self._any()
        answer = self._write_once("DELETE", task)
        assert answer.status_code in {204, 404}, answer.text
        self.tasks.remove(task)
        self.gone.append(task)

    def restore(self) -> None:
        if not self.gone:
            return
        task = self.random.choice(self.gone)
        answer, is_certain = self._insist("POST", f"/trash/{task.document['id']}/restore")
        if answer.status_code == 404 and not is_certain:  # the first try succeeded
            self._list_may_lag = True
            answer = self._ask("GET", task.path)
        expect(answer, 200)
        document = answer.json()
        assert document == {**task.document, "updated_at": document["updated_at"]}, answer.text
        task.document, task.version = document, task.version + 2
        assert answer.headers["ETag"] == task.etag
        self.gone.remove(task)
        self.tasks.append(task)

    def _write_once(self, method: str, task: Known, **options: Any) -> requests.Response:
        """Send a write until it gets a response; if a retry is refused, the first try succeeded."""
        condition = {"If-Match": task.etag}
        is_conditional = self.random.random() < 0.5
        answer, is_certain = self._insist(
            method, task.path, headers=condition if is_conditional else {}, again=condition, **options
        )
        assert answer.ok or not is_certain, f"{method} {task}: {answer.status_code} {answer.text}"
        self._list_may_lag |= not answer.ok
        return answer

    def read(self) -> None:
        task = self._any()
        self._check(task)
        expect(self._ask("GET", task.path, headers={"If-None-Match": task.etag}), 304)

    def _check(self, task: Known) -> None:
        answer = self._ask("GET", task.path)
        expect(answer, 200)
        assert (answer.json(), answer.headers["ETag"]) == (task.document, task.etag)

    def list_all(self) -> None:
        self._list(limit=self.random.choice([7, 30, 100, 100]))

    def list_status(self) -> None:
        self._list(limit=self.random.choice([20, 100]), status=self.random.choice(STATUSES))

    def _list(self, **query: Any) -> None:
        """Follow the links of a list: it must have each of this client's tasks once, in its current state."""
        wanted = [each.document for each in self.tasks]
        wanted = [each for each in wanted if query.get("status", each["status"]) == each["status"]]

        def is_up_to_date() -> bool:
            found = [each for each in self._pages(query) if each["title"].startswith(self._prefix)]
            return sorted(found, key=_id) == sorted(wanted, key=_id)

        if self._list_may_lag:
            # The writer was killed before it invalidated the cache; the stream's consumer does so later.
            await_condition(is_up_to_date)
            self._list_may_lag = False
        else:
            assert is_up_to_date(), f"{query}: not {wanted}"

    def _pages(self, query: Document) -> list[Document]:
        found: list[Document] = []
        answer = self._ask("GET", "/tasks", params=query)
        while True:
            expect(answer, 200)
            self._progress.note(f"cache {answer.headers['X-Cache']}")
            found += answer.json()
            if "next" not in answer.links:
                return found
            answer = self._ask("GET", answer.links["next"]["url"])

    def take_title(self) -> None:
        task, other = self.random.sample(self.tasks, 2)
        body = {"title": other.document["title"]}
        for answer in (self._ask("POST", "/tasks", json=body), self._ask("PATCH", task.path, json=body)):
            expect(answer, 409)
            assert answer.json()["task_id"] == other.document["id"]

    def change_stale(self) -> None:
        stale = {"If-Match": '"999999"'}
        task = self._any()
        expect(self._ask("PATCH", task.path, json={"description": "stale"}, headers=stale), 412)
        expect(self._ask("DELETE", task.path, headers=stale), 412)

    def look_for_gone(self) -> None:
        if self.gone:
            path = self.random.choice(self.gone).path
            expect(self._ask("GET", path), 404)
            expect(self._ask("PATCH", path, json={"description": "gone"}), 404)
            expect(self._ask("DELETE", path), 404)

    def repeat_create(self) -> None:
        if task := self._any_with_key():
            answer = self._ask("POST", "/tasks", **task.create)
            expect(answer, 201)
            assert answer.headers["Idempotency-Replayed"] == "true"
            assert answer.json() == task.first

    def reuse_key(self) -> None:
        if task := self._any_with_key():
            body = {**task.create["json"], "title": "Load: never stored"}
            expect(self._ask("POST", "/tasks", json=body, headers=task.create["headers"]), 422)

    def check_all(self) -> None:
        """Check the state and the history of every task."""
        for task in self.tasks:
            self._check(task)
            self._check_history(task, task.version)
        for task in self.gone:
            expect(self._ask("GET", task.path), 404)
            self._check_history(task, task.version + 1)
        self._list(limit=100)
        self._client.session.close()

    def _check_history(self, task: Known, newest: int) -> None:
        answer = self._ask("GET", f"{task.path}/history", params={"limit": 100})
        expect(answer, 200)
        assert [change["version"] for change in answer.json()] == list(range(newest, 0, -1))[:100]

    def _any(self) -> Known:
        return self.random.choice(self.tasks)

    def _any_with_key(self) -> Known | None:
        with_key = [each for each in self.tasks + self.gone if each.create["headers"]]
        return self.random.choice(with_key) if with_key else None

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._insist(method, path, **options)[0]

    def _insist(
        self, method: str, path: str, *, again: Document | None = None, **options: Any
    ) -> tuple[requests.Response, bool]:
        """Send a request until it gets a response; also returns whether the first try got it.

        Args:
            method: The HTTP method.
            path: The path or URL.
            again: The headers of retries, if they differ.
            options: Further arguments of `requests`.
        """
        answer = self._send(method, path, **options)
        if answer is not None:
            return answer, True
        if again is not None:
            options["headers"] = again
        while answer is None:
            answer = self._send(method, path, **options)
        return answer, False

    def _send(self, method: str, path: str, **options: Any) -> requests.Response | None:
        """Send a request; returns None if its function was killed."""
        self._progress.step()
        answer = self._client(method, path, **options)
        if answer.status_code == 500:
            self._progress.note("no response")
            return None
        assert answer.status_code < 500, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer


def expect(answer: requests.Response, status: int) -> None:
    request = answer.request
    assert answer.status_code == status, (
        f"{request.method} {request.url} {request.body!r}: {answer.status_code} {answer.text}"
    )


def _id(document: Document) -> str:
    return str(document["id"])
