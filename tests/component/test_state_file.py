"""The state file keeps what the local stack acknowledged, whatever happens to it."""

from __future__ import annotations

import errno
import fcntl
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.emulated import forget_aws, schema_of, start_aws
from tests.nightly import often
from tools.local.backends import emulator
from tools.local.backends.changes import ItemChange, NotSaved
from tools.local.backends.sources import Sources
from tools.local.backends.state import StateFile
from tools.local.errors import LocalStackError

SCHEMA = schema_of({"T": ["f"]})


class World:
    """A table whose stream two functions read, another table and a queue, kept in a state file."""

    def __init__(self, path: Path) -> None:
        self._begin(path)

    def _begin(self, path: Path) -> None:
        consumers = {"Read": ["f", "g"], "Unread": []}
        self.state = StateFile(path, schema_of(consumers))
        self.aws = start_aws(consumers, {"q": {}}, self.state)
        self.sources = Sources(self.aws)

    def put(self, key: str, value: str, table: str = "Read") -> None:
        item = {"pk": {"S": key}, "value": {"S": value}}
        self.aws.call("DynamoDB_20120810.PutItem", TableName=table, Item=item)

    def delete(self, key: str) -> None:
        self.aws.call("DynamoDB_20120810.DeleteItem", TableName="Read", Key={"pk": {"S": key}})

    def send(self, body: str) -> None:
        self.aws.call("AmazonSQS.SendMessage", QueueUrl="q", MessageBody=body)

    def receive_and_delete(self) -> None:
        self.sources.delete("q", [each["ReceiptHandle"] for each in self.sources.receive("q", 10)])

    def deliver(self, function: str, most: int) -> None:
        """Advance the checkpoint of a function by up to `most` records."""
        if batch := self.sources.records("Read", self.sources.checkpoint("Read", function), most):
            self.sources.advance("Read", function, batch[-1]["dynamodb"]["SequenceNumber"])

    def content(self) -> tuple[Any, ...]:
        return (
            self.items("Read"),
            self.items("Unread"),
            self.messages(),
            self.undelivered("f"),
            self.undelivered("g"),
        )

    def items(self, table: str = "Read") -> dict[str, str]:
        items = self.aws.call("DynamoDB_20120810.Scan", TableName=table)["Items"]
        return {item["pk"]["S"]: item["value"]["S"] for item in items}

    def messages(self) -> list[str]:
        emulator.enter_account()
        return [message["body"] for _, messages in emulator.queues() for message in messages]

    def undelivered(self, function: str) -> list[tuple[str, str | None]]:
        """The stream records that a function has yet to read: keys and values."""
        records = self.sources.records("Read", self.sources.checkpoint("Read", function), 1_000)
        return [
            (data["Keys"]["pk"]["S"], data.get("NewImage", {}).get("value", {}).get("S"))
            for data in (record["dynamodb"] for record in records)
        ]

    def vanish(self) -> None:
        """Delete the folder, as a user might."""
        shutil.rmtree(self.state.path.parent)

    def restart(self) -> None:
        """Start again from the file, as after a kill at this moment."""
        self.state.close()
        self._begin(self.state.path)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "state/state.db")
    yield world
    world.state.close()
    forget_aws()


keys, values, tables = st.sampled_from("abcd"), st.sampled_from("12"), st.sampled_from(["Read", "Unread"])
steps = st.one_of(
    st.tuples(st.just("put"), keys, values, tables),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("send"), values),
    st.tuples(st.just("receive_and_delete")),
    st.tuples(st.just("deliver"), st.sampled_from("fg"), st.integers(1, 3)),
    st.tuples(st.just("vanish")),
    st.tuples(st.just("restart")),
)


@settings(max_examples=often(15, 200))
@given(st.lists(steps, max_size=20))
def test_a_restart_at_any_moment_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[Any, ...]]
) -> None:
    world = World(tmp_path_factory.mktemp("state") / "state.db")
    try:
        for name, *arguments in [*history, ("restart",)]:
            if name != "restart":
                getattr(world, name)(*arguments)
                world.aws.sync()
                continue
            before = world.content()
            world.restart()
            assert world.content() == before
    finally:
        world.state.close()
        forget_aws()


def test_streams_drop_records_that_every_function_has_read(world: World) -> None:
    for number in range(10):
        world.put("a", str(number))
    world.deliver("f", 10)
    assert len(emulator.records("Read", 0)) == 10
    world.deliver("g", 4)
    assert len(emulator.records("Read", 0)) == 6


def test_a_hidden_message_stays_hidden_after_a_restart(world: World) -> None:
    for body in "ab":
        world.send(body)
    for message in world.sources.receive("q", 10)[:1]:
        world.aws.call(
            "AmazonSQS.ChangeMessageVisibility",
            QueueUrl="q",
            ReceiptHandle=message["ReceiptHandle"],
            VisibilityTimeout=3600,
        )
    world.restart()
    assert [message["Body"] for message in world.sources.receive("q", 10)] == ["b"]


def test_a_message_sent_before_the_clock_was_set_back_does_not_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + 3600)
        world.send("a")
    world.restart()
    assert [message["Body"] for message in world.sources.receive("q", 10)] == ["a"]


def put_with_expiries(world: World) -> None:
    for key, expires_at in (("old", 1), ("new", 2**40)):
        item = {"pk": {"S": key}, "value": {"S": ""}, "expires_at": {"N": str(expires_at)}}
        world.aws.call("DynamoDB_20120810.PutItem", TableName="Read", Item=item)


def test_expired_items_are_deleted_by_the_ttl_in_the_stream(world: World) -> None:
    put_with_expiries(world)
    world.aws.expire()
    world.restart()
    assert world.items().keys() == {"new"}
    records = world.sources.records("Read", world.sources.checkpoint("Read", "f"), 10)
    assert [(each["eventName"], "userIdentity" in each) for each in records] == [
        ("INSERT", False),
        ("INSERT", False),
        ("REMOVE", True),
    ]
    assert records[-1]["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert records[-1]["dynamodb"]["OldImage"]["pk"] == {"S": "old"}


def test_expired_items_are_deleted_once_the_disk_has_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_with_expiries(world)
    with monkeypatch.context() as patch:
        patch.setattr(world.state, "save", Mock(side_effect=OSError(errno.ENOSPC, "full")))
        world.aws.expire()
    assert world.items().keys() == {"old", "new"}
    world.aws.expire()
    assert world.items().keys() == {"new"}


def test_the_emulator_deletes_nothing_by_itself(local_aws: str) -> None:
    ttl = boto3.client("dynamodb", endpoint_url=local_aws).describe_time_to_live(TableName="TasksTable")
    assert ttl["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED"


def test_an_item_whose_expiry_is_extended_meanwhile_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_with_expiries(world)
    find = emulator.expired

    def find_and_renew(*arguments: Any) -> Any:
        found = find(*arguments)
        item = {"pk": {"S": "old"}, "value": {"S": ""}, "expires_at": {"N": str(2**40)}}
        world.aws.call("DynamoDB_20120810.PutItem", TableName="Read", Item=item)
        return found

    monkeypatch.setattr(emulator, "expired", find_and_renew)
    world.aws.expire()
    assert world.items().keys() == {"old", "new"}


def test_a_replaced_file_is_left_alone(world: World, tmp_path: Path) -> None:
    world.put("a", "1")
    shutil.rmtree(tmp_path / "state")
    with closing(StateFile(world.state.path, SCHEMA)) as another:
        another.save([ItemChange("T", {"pk": {"S": "b"}}, {"pk": {"S": "b"}})])
        with pytest.raises(NotSaved):
            world.put("a", "2")
        assert list(another.items("T")) == [{"pk": {"S": "b"}}]
    assert world.items() == {"a": "1"}


def test_a_failed_replacement_is_retried(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("a", "1")
    world.vanish()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", Mock(side_effect=OSError(errno.EIO, "broken")))
        for _ in range(2):
            with pytest.raises(NotSaved):
                world.put("a", "2")
    world.put("b", "1")
    world.restart()
    assert world.items() == {"a": "1", "b": "1"}


def test_delivered_records_do_not_grow_the_file(world: World) -> None:
    for number in range(200):
        world.put("a", f"{number}" * 300)
        world.deliver("f", 1)
        world.deliver("g", 1)
    world.aws.sync()
    assert sum(file.stat().st_size for file in world.state.path.parent.iterdir()) < 200_000


def test_records_written_after_the_clock_was_set_back_are_delivered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("a", "1")
    world.deliver("f", 1)
    world.deliver("g", 1)
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now - 30)
        world.put("a", "2")
        world.restart()
        world.put("a", "3")
    world.restart()
    assert world.items() == {"a": "3"}
    assert world.undelivered("f") == [("a", "2"), ("a", "3")]


class TestFullDisk:
    """SQLite reports a full disk, because the file may get no more pages."""

    @pytest.fixture(autouse=True)
    def _full(self, world: World) -> None:
        world.put("a", "1")
        world.send("before")
        pages = world.state._connection.execute("PRAGMA page_count").fetchone()[0]
        world.state._connection.execute(f"PRAGMA max_page_count = {pages}")

    @pytest.fixture
    def free(self, world: World) -> Callable[[], None]:
        return lambda: world.state._connection.execute("PRAGMA max_page_count = 100000").close()

    def test_writes_that_cannot_be_stored_are_refused_and_undone(
        self, world: World, capfd: pytest.CaptureFixture[str], free: Callable[[], None]
    ) -> None:
        for write in (lambda: world.put("a", "2" * 50_000), lambda: world.put("b", "2" * 50_000)):
            with pytest.raises(NotSaved):
                write()
        with pytest.raises(NotSaved):
            world.send("x" * 50_000)
        (line,) = capfd.readouterr().err.splitlines()
        assert line.endswith("cannot be written: database or disk is full. Writes are refused until it can.")
        stream = [("a", "1")]
        assert world.content() == ({"a": "1"}, {}, ["before"], stream, stream)
        free()
        world.put("b", "2" * 50_000)
        assert capfd.readouterr().err.endswith("can be written again.\n")
        world.restart()
        assert world.items() == {"a": "1", "b": "2" * 50_000}
        assert world.messages() == ["before"]

    def test_a_refused_transaction_can_be_repeated(self, world: World, free: Callable[[], None]) -> None:
        item = {"pk": {"S": "b"}, "value": {"S": "2" * 50_000}}
        put = {"Put": {"TableName": "Read", "Item": item}}
        request = {"TransactItems": [put], "ClientRequestToken": "token"}
        with pytest.raises(NotSaved):
            world.aws.call("DynamoDB_20120810.TransactWriteItems", **request)
        free()
        world.aws.call("DynamoDB_20120810.TransactWriteItems", **request)
        assert world.items() == {"a": "1", "b": "2" * 50_000}


class TestUnusableFiles:
    def test_a_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(LocalStackError, match=r"Is a directory.*--no-state"):
            StateFile(tmp_path, SCHEMA)

    def test_a_path_below_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(LocalStackError, match="cannot keep the state"):
            StateFile(tmp_path / "file" / "state.db", SCHEMA)

    def test_a_file_of_a_later_version_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "state.db"
        StateFile(path, SCHEMA).close()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 2")
        with pytest.raises(LocalStackError, match="it is of version 2"):
            StateFile(path, SCHEMA)

    def test_a_full_disk_is_not_reported_as_damage(self, tmp_path: Path) -> None:
        state = StateFile(tmp_path / "state.db", SCHEMA)
        with closing(state):
            assert "cannot keep the state: disk" in str(state.explain(sqlite3.OperationalError("disk full")))

    def test_a_file_that_another_stack_uses_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "state.db"
        with closing(StateFile(path, SCHEMA)):
            assert StateFile.is_taken(path)
            with pytest.raises(LocalStackError, match="Another local stack"):
                StateFile(path, SCHEMA)
        assert not StateFile.is_taken(path)

    @pytest.mark.parametrize(
        "content",
        ["[]", "3", "null", '"text"', '{"tables": []}', "{}", '{"name": "value"}', '{"tables": {"T": [3]}}',
         '{"tables": {"T": [{"x": 1}]}}', '{"tables": {}, "queues": {"q": [1]}}', '{"secrets": 3}',
         '{"tables": {}}\nnull\n', '{"tables": {}}\n{"table": "T"}\n', '{"tables": ', "\x80", "SQLite 3"],
    )  # fmt: skip
    def test_a_file_of_another_shape_is_refused_and_left_alone(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "state.db"
        path.write_text(content, "latin-1")
        with pytest.raises(LocalStackError, match="is damaged"):
            StateFile(path, SCHEMA)
        assert path.read_text("latin-1") == content
        assert list(tmp_path.iterdir()) == [path]


class TestTheFileOfVersion1:
    CONTENT = """\
{"tables": {"T": [{"pk": {"S": "a"}, "v": {"N": "1"}}, {"pk": {"S": "b"}}], "LocalStack": [], "Gone": [{"x": {"S": "b"}}]}, "secrets": {"S": {"Name": "S"}}, "queues": {"q": [{"id": "1"}, {"id": "2"}]}}
{"table": "T", "number": "1", "key": {"pk": {"S": "a"}}, "item": {"pk": {"S": "a"}, "v": {"N": "2"}}}
{"table": "T", "number": "2", "key": {"pk": {"S": "b"}}, "item": null}
{"table": "LocalStack", "number": "3", "key": {"id": {"S": "T/f"}}, "item": {"id": {"S": "T/f"}, "sequence_number": {"S": "1"}}}
{"queue": "q", "sent": [{"id": "3"}], "gone": ["1"]}
{"table": "T", "number": "0", "key": {"pk": {"S": "a"}}, "item": {"pk": {"S": "a"}, "v": {"N": "3"}}}
{"table": "T", "number": "4", "key": {"pk": {"S": "c"}}, "item": {"pk": {"S": "c"}}}
{"table": """  # noqa: E501 (a line for each change)

    @pytest.mark.parametrize("name", ["state.json", "state.db"])
    def test_is_read_once_and_set_aside(self, tmp_path: Path, name: str) -> None:
        old, path = tmp_path / "state.json", tmp_path / name
        old.write_text(self.CONTENT)
        for _ in range(2):
            with closing(StateFile(path, SCHEMA)) as state:
                items = {item["pk"]["S"]: item for item in state.items("T")}
                assert items == {"a": {"pk": {"S": "a"}, "v": {"N": "3"}}, "c": {"pk": {"S": "c"}}}
                changes = [
                    (each["eventName"], each["dynamodb"]["Keys"]["pk"]["S"]) for each in state.records("T")
                ]
                assert changes == [("REMOVE", "b"), ("INSERT", "c")]
                assert [message["id"] for message in state.messages("q")] == ["2", "3"]
                assert state.secret("S") == {"Name": "S"}
        assert (tmp_path / "state.json.1.0").read_text() == self.CONTENT
        assert {each.stat().st_mode & 0o077 for each in tmp_path.iterdir()} == {0}
        assert sorted(each.name for each in tmp_path.iterdir()) == sorted([name, "state.json.1.0"])

    def test_is_not_read_while_version_1_uses_it(self, tmp_path: Path) -> None:
        path = tmp_path / "state.json"
        path.write_text(self.CONTENT)
        with (tmp_path / "state.json.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(LocalStackError, match="Another local stack"):
                StateFile(tmp_path / "state.db", SCHEMA)
        assert path.read_text() == self.CONTENT

    def test_is_not_mixed_with_state_of_a_later_version(self, tmp_path: Path) -> None:
        path = tmp_path / "state.db"
        with closing(StateFile(path, SCHEMA)) as killed:
            killed.save([ItemChange("T", {"pk": {"S": str(n)}}, {"pk": {"S": str(n)}}) for n in range(1_000)])
            wal = (tmp_path / "state.db-wal").read_bytes()
        path.unlink()  # as a user who goes back to version 1.0 does
        (tmp_path / "state.db-wal").write_bytes(wal)
        (tmp_path / "state.json").write_text(self.CONTENT)
        with closing(StateFile(path, SCHEMA)) as state:
            assert sorted(item["pk"]["S"] for item in state.items("T")) == ["a", "c"]
