"""What the local stack keeps in its file, whatever happened to it."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.local_stack import await_condition
from tools.local.backends import emulator
from tools.local.backends.journal import Journal
from tools.local.backends.own_table import OWN_KEY, OWN_TABLE, checkpoint_id
from tools.local.backends.recorder import Recorder
from tools.local.backends.state import Schema, State, read_state
from tools.local.errors import LocalStackError

_numbers = itertools.count()


class World:
    """Tables, a queue and a secret of its own in the emulator, recorded in a file."""

    def __init__(self, path: Path, names: tuple[str, str] | None = None) -> None:
        """Begin anew, or, with the names of another world, as after its restart."""
        self.table, self.queue = names or (f"Table{next(_numbers)}", f"queue{next(_numbers)}")
        self.schema = Schema({self.table: ["pk"], OWN_TABLE: [OWN_KEY]}, {self.table: ["f", "g"]})
        self.forget()
        for name, key in ((self.table, "pk"), (OWN_TABLE, OWN_KEY)):
            self.call(
                "DynamoDB_20120810.CreateTable",
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            )
        self.call("AmazonSQS.CreateQueue", QueueName=self.queue)
        self.journal = Journal(path, least_size=0)
        self.restored = read_state(self.journal.lines(), self.schema)
        self.recorder = Recorder(self.schema, self.journal)
        self.recorder.restore(self.restored)

    def forget(self) -> None:
        """Empty the emulator, which all worlds share."""
        for module in (emulator.dynamodb, emulator.sqs, emulator.secretsmanager):
            module.reset()

    def call(self, target: str, **request: Any) -> dict[str, Any]:
        status, _, reply = asyncio.run(
            emulator.handle({"x-amz-target": target}, json.dumps(request).encode())
        )
        assert status == 200, reply
        if hasattr(self, "recorder"):
            self.recorder.record(target)
        answer: dict[str, Any] = json.loads(reply)
        return answer

    def put(self, key: str, value: str) -> None:
        item = {"pk": {"S": key}, "value": {"S": value}}
        self.call("DynamoDB_20120810.PutItem", TableName=self.table, Item=item)

    def delete(self, key: str) -> None:
        self.call("DynamoDB_20120810.DeleteItem", TableName=self.table, Key={"pk": {"S": key}})

    def send(self, body: str) -> None:
        self.call("AmazonSQS.SendMessage", QueueUrl=self.queue, MessageBody=body)

    def receive(self) -> list[dict[str, Any]]:
        answer = self.call("AmazonSQS.ReceiveMessage", QueueUrl=self.queue, VisibilityTimeout=600)
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    def receive_and_delete(self) -> None:
        for message in self.receive():
            self.call("AmazonSQS.DeleteMessage", QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])

    def deliver(self, function: str, most: int) -> None:
        """Note that a function is done with some more of the stream."""
        start = emulator.stream_start(self.table)
        stream = emulator.records(self.table, start)
        reached = self.reached(function)
        waiting = [number for record in stream if (number := record["dynamodb"]["SequenceNumber"]) > reached]
        if batch := waiting[:most]:
            item = {
                OWN_KEY: {"S": checkpoint_id(self.table, function)},
                "sequence_number": {"S": batch[-1]},
            }
            self.call("DynamoDB_20120810.PutItem", TableName=OWN_TABLE, Item=item)

    def reached(self, function: str) -> str:
        for item in emulator.all_items(OWN_TABLE):
            if item[OWN_KEY]["S"] == checkpoint_id(self.table, function):
                return str(item["sequence_number"]["S"])
        return ""

    def items(self) -> dict[str, str]:
        emulator.enter_account()
        return {item["pk"]["S"]: item["value"]["S"] for item in emulator.all_items(self.table)}

    def messages(self) -> list[str]:
        emulator.enter_account()
        return [message["body"] for _, messages in emulator.queues() for message in messages]

    def undelivered(self) -> list[tuple[str, str | None]]:
        """What is in the stream that some function has not read."""
        emulator.enter_account()
        reached = min(self.reached("f"), self.reached("g"))
        return [
            (data["Keys"]["pk"]["S"], data.get("NewImage", {}).get("value", {}).get("S"))
            for record in emulator.records(self.table, 0)
            if (data := record["dynamodb"])["SequenceNumber"] > reached
        ]

    def sync(self) -> None:
        """As every two seconds; begins a compaction when the file has grown, or ends one."""
        self.recorder.sync()

    def end_compaction(self) -> None:
        def ended() -> bool:
            self.recorder.sync()
            return not self.journal.is_compacting

        if self.journal.is_compacting:
            await_condition(ended)

    def restart(self) -> World:
        """Begin again from the file, as after a kill at this moment."""
        self.journal.close()
        return World(self.journal.path, (self.table, self.queue))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "state.json")
    yield world
    world.journal.close()
    world.forget()


keys, values = st.sampled_from("abcd"), st.sampled_from("12")
steps = st.one_of(
    st.tuples(st.just("put"), keys, values),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("send"), values),
    st.tuples(st.just("receive_and_delete")),
    st.tuples(st.just("deliver"), st.sampled_from("fg"), st.integers(1, 3)),
    st.tuples(st.just("sync")),
    st.tuples(st.just("end_compaction")),
    st.tuples(st.just("restart")),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(steps, max_size=20))
def test_a_restart_at_any_moment_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[Any, ...]]
) -> None:
    world = World(tmp_path_factory.mktemp("state") / "state.json")
    try:
        for name, *arguments in [*history, ("restart",)]:
            if name != "restart":
                getattr(world, name)(*arguments)
                continue
            before = world.items(), world.messages(), world.undelivered()
            world = world.restart()
            assert (world.items(), world.messages(), world.undelivered()) == before
    finally:
        world.journal.close()
        world.forget()


def test_a_compaction_makes_the_file_shorter_and_loses_nothing(world: World) -> None:
    for number in range(50):
        world.put("a", str(number))
    long = world.journal.path.stat().st_size
    world.deliver("f", 40)
    world.deliver("g", 45)
    world.sync()
    assert world.journal.is_compacting
    world.put("b", "meanwhile")
    world.send("meanwhile")
    world.end_compaction()
    assert world.journal.path.stat().st_size < long / 2
    before = world.items(), world.messages(), world.undelivered()
    assert len(before[2]) == 11
    world = world.restart()
    assert (world.items(), world.messages(), world.undelivered()) == before
    world.journal.close()


def test_a_line_that_was_torn_was_never_acknowledged(world: World) -> None:
    world.put("a", "1")
    with world.journal.path.open("a") as file:
        file.write('{"table": ')
    world = world.restart()
    assert world.items() == {"a": "1"}
    world.journal.close()


def test_streams_forget_what_every_function_has_read(world: World) -> None:
    for number in range(10):
        world.put("a", str(number))
    world.deliver("f", 10)
    assert len(world.undelivered()) == 10
    world.deliver("g", 4)
    emulator.enter_account()
    assert len(emulator.records(world.table, 0)) == 6


class TestADiskThatFails:
    def break_it(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        def write(_file: int, _data: Any) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("tools.local.backends.journal.os.write", write)

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
    def test_is_told_once_and_everything_is_saved_when_it_works_again(
        self, world: World, capfd: pytest.CaptureFixture[str], number: int
    ) -> None:
        with pytest.MonkeyPatch.context() as patch:
            self.break_it(patch, number)
            world.put("a", "1")
            world.sync()
            world.put("b", "2")
            world.send("hello")
            world.sync()
        (line,) = capfd.readouterr().err.splitlines()
        assert os.strerror(number) in line
        assert not world.recorder.is_saved
        world.sync()
        assert "saved again" in capfd.readouterr().err
        assert world.recorder.is_saved
        world.put("c", "3")
        world = world.restart()
        assert world.items() == {"a": "1", "b": "2", "c": "3"}
        assert world.messages() == ["hello"]
        assert world.undelivered() == [("a", "1"), ("b", "2"), ("c", "3")]
        world.journal.close()

    def test_a_folder_that_vanishes_is_made_again(self, world: World) -> None:
        world.put("a", "1")
        for file in world.journal.path.parent.iterdir():
            file.unlink()
        world.journal.path.parent.rmdir()
        world.put("b", "2")
        world.sync()
        world = world.restart()
        assert world.items() == {"a": "1", "b": "2"}
        world.journal.close()


class TestAFileThatCannotBeUsed:
    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(LocalStackError, match=r"Is a directory.*--no-state"):
            Journal(tmp_path)

    def test_a_folder_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(LocalStackError, match="cannot keep the state"):
            Journal(tmp_path / "file" / "state.json")

    def test_one_that_another_stack_uses(self, tmp_path: Path) -> None:
        with closing(Journal(tmp_path / "state.json")) as journal:
            assert Journal.is_taken(journal.path)
            with pytest.raises(LocalStackError, match="Another local stack"):
                Journal(journal.path)
        assert not Journal.is_taken(journal.path)

    @pytest.mark.parametrize(
        "content",
        ["[]", "3", "null", '"text"', '{"tables": []}', "{}", '{"name": "value"}', '{"tables": {"T": [3]}}',
         '{"tables": {"T": [{"x": 1}]}}', '{"queues": {"q": [1]}}', '{"secrets": 3}', "{}\nnull\n",
         '{}\n{"table": "T"}\n', '{"tables": '],
    )  # fmt: skip
    def test_another_shape_is_an_error_of_the_kinds_that_are_told(self, content: str) -> None:
        lines = iter(content.splitlines(keepends=True))
        with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
            read_state(lines, Schema({"T": ["pk"]}, {}))


def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    tables = {"T": [{"pk": {"S": "a"}}], "Gone": [{"x": {"S": "b"}}]}
    path.write_text(json.dumps({"tables": tables, "secrets": {"S": "k"}}))
    with closing(Journal(path)) as journal:
        state = read_state(journal.lines(), Schema({"T": ["pk"]}, {}))
    assert list(state.tables["T"].values()) == [{"pk": {"S": "a"}}]
    assert state.secrets == {"S": "k"}


def test_without_a_file_the_state_is_empty(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "new/state.json")) as journal:
        assert read_state(journal.lines(), Schema({}, {})) == State()
