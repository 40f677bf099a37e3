"""docs/cost.md agrees with the prices, the template and the calls of the functions."""

from __future__ import annotations

import json
import math
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from shared.tasks.listing import TaskListing
from shared.tasks.pages import TaskPages
from shared.tasks.query import TaskQuery
from shared.tasks.store import TaskStore
from shared.tasks.task import TaskStatus
from tests.handlers import authorization, event, invoke
from tests.local_stack import ROOT
from tests.tasks import changing, new_task
from tests.template import RESOURCES, TEMPLATE, functions_of
from tools.costs import usage
from tools.costs.__main__ import DOCUMENT, filled_in, inventory, tables, without_traffic
from tools.costs.table import of_traffic, total
from tools.costs.usage import Workload

DESCRIPTION = "x" * 180  # makes an item of half a KB
Calls = list[tuple[str, dict[str, Any], dict[str, Any]]]


@pytest.fixture
def calls(aws: None, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The AWS calls made during the test: operation, parameters and result."""
    made: Calls = []
    call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def record(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        result = call(client, operation, parameters)
        made.append((operation, parameters, result))
        return result

    monkeypatch.setattr(BaseClient, "_make_api_call", record)
    return made


def size_of(item: dict[str, Any]) -> int:
    """Bytes of an item. See
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html"""
    return sum(len(name) + len(str(next(iter(value.values()))).encode()) for name, value in item.items())


def test_storing_a_task_takes_the_documented_units(calls: Calls) -> None:
    invoke("create_task")
    assert units_to_store(calls) == usage.CREATE_WRITE_UNITS
    calls.clear()
    invoke("create_task", body=json.dumps({"title": "Of a day", "due_at": 1_767_225_600}))
    assert units_to_store(calls) == usage.CREATE_WRITE_UNITS + usage.INDEX_WRITE_UNITS
    invoke("create_user")
    calls.clear()
    invoke("create_task", body=json.dumps({"title": "Mine", "assignee": "me"}))
    assigned = usage.INDEX_WRITE_UNITS + usage.CHECK_WRITE_UNITS
    assert units_to_store(calls) == usage.CREATE_WRITE_UNITS + assigned


def test_a_change_takes_the_documented_units(calls: Calls) -> None:
    task = TaskStore(lambda: None).create(new_task(description=DESCRIPTION)).task
    calls.clear()
    TaskStore(lambda: None).update(task.id, changing(description=DESCRIPTION[1:]))
    (writes,) = (parameters["TransactItems"] for name, parameters, _ in calls if name.startswith("Transact"))
    update, put = writes
    names = list(update["Update"]["ExpressionAttributeNames"].values())
    values = update["Update"]["ExpressionAttributeValues"]
    assert (
        size_of({name: values[f":{name}"] for name in names}) < usage.KB
    )  # and so is the item, keys included
    task_units = 2 + usage.INDEX_WRITE_UNITS
    history_units = 2 * math.ceil(size_of(put["Put"]["Item"]) / usage.KB)
    text = f"A change takes {task_units + history_units} write units, {history_units} of them for the history"
    assert text in DOCUMENT.read_text("utf-8")


def units_to_store(calls: Calls) -> int:
    """Write units of the only call, a transaction: of its items, and of their copies in indexes."""
    ((operation, parameters, _),) = calls
    assert operation == "TransactWriteItems"
    writes = parameters["TransactItems"]
    items = [write["Put"]["Item"] for write in writes if "Put" in write]
    units = [math.ceil(size_of(item) / usage.KB) for item in items]
    keys = [index["KeySchema"] for index in RESOURCES["TasksTable"]["Properties"]["GlobalSecondaryIndexes"]]
    copies = [sum(all(key["AttributeName"] in item for key in each) for each in keys) for item in items]
    stored = sum((2 + more) * each for each, more in zip(units, copies, strict=True))
    return stored + 2 * sum("ConditionCheck" in write for write in writes)


def test_reminders_take_the_documented_units(calls: Calls) -> None:
    a_minute_ago = int(time.time()) - 60
    watermark = {"until": {"S": f"{a_minute_ago:012}#~"}, "looked_back_at": {"N": str(a_minute_ago)}}
    boto3.client("dynamodb").put_item(TableName="NotifiedTable", Item={"id": {"S": "remind"}, **watermark})
    calls.clear()
    invoke("remind")
    operations = Counter(operation for operation, _, _ in calls)
    assert operations == {"GetItem": 2, "Query": 4, "PutItem": 1}
    assert operations["GetItem"] + operations["Query"] / 2 == usage.REMIND_READ_UNITS
    assert operations["PutItem"] == usage.REMIND_WRITE_UNITS


def test_a_notification_takes_the_documented_units(calls: Calls) -> None:
    record = event("send_notification")["Records"][0]
    invoke("send_notification", Records=[record])
    assert [operation for operation, _, _ in calls] == ["PutItem", "UpdateItem"]
    assert len(calls) == usage.NOTIFY_WRITE_UNITS


def test_reading_a_task_takes_the_documented_units(calls: Calls) -> None:
    task = TaskStore(lambda: None).create(new_task(description=DESCRIPTION)).task
    calls.clear()
    TaskStore().get(task.id)
    ((_, parameters, result),) = calls
    assert parameters["ConsistentRead"]
    assert math.ceil(size_of(result["Item"]) / 4 / usage.KB) == usage.READ_UNITS


def test_tokens_and_guesses_take_the_documented_units(calls: Calls) -> None:
    invoke("create_user")
    token = json.loads(invoke("login")["body"])["access_token"]
    calls.clear()
    invoke("authorize", **authorization(f"Bearer {token}"))
    assert units_of(calls) == (usage.AUTHORIZE_READ_UNITS, 0)
    calls.clear()
    invoke("login", body="username=ada&password=guess")
    assert units_of(calls) == (usage.SIGN_IN_READ_UNITS, usage.GUESS_WRITE_UNITS)


def units_of(calls: Calls) -> tuple[int, int]:
    """Read and write units of calls, if all items are small."""
    asked = [parameters for operation, parameters, _ in calls if operation == "BatchGetItem"]
    written = [parameters for operation, parameters, _ in calls if operation == "TransactWriteItems"]
    assert len(asked) + len(written) == len([each for each in calls if each[0] != "GetSecretValue"])
    keys = [key for each in asked for key in each["RequestItems"]["UsersTable"]["Keys"]]
    return len(keys), 2 * sum(len(each["TransactItems"]) for each in written)


def test_a_list_takes_the_documented_units(calls: Calls) -> None:
    store = TaskStore(lambda: None)
    for number in range(90):
        chosen = {"description": DESCRIPTION, "status": list(TaskStatus)[number % 3]}
        store.create(new_task(f"Task {number}", created_by="7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10", **chosen))
    calls.clear()
    TaskListing().page(TaskQuery(limit=20))
    assert len(calls) == 3
    units = [math.ceil(sum(map(size_of, result["Items"])) / 4 / usage.KB) / 2 for _, _, result in calls]
    assert sum(units) == pytest.approx(usage.LIST_READ_UNITS, rel=0.25)
    page = TaskPages().render(TaskQuery(limit=20))
    assert len(page.body) == pytest.approx(usage.PAGE_BYTES, rel=0.15)


def test_a_call_logs_the_documented_amount(aws: None, log: Callable[[], list[dict[str, Any]]]) -> None:
    for function in ("create_task", "list_tasks", "get_task"):
        invoke(function)
    entries = [len(json.dumps(entry)) for entry in log()]
    assert len(entries) == 3
    assert sum(entries) / 3 == pytest.approx(usage.LOG_BYTES, rel=0.25)


def test_the_document_is_up_to_date() -> None:
    document = (ROOT / DOCUMENT).read_text("utf-8")
    assert document == filled_in(document, tables(Workload(), inventory(ROOT))), "run `make costs`"


def test_the_readme_has_the_computed_cost() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (dollars,) = re.findall(r"Without traffic it costs about (\d+) dollars a month", readme)
    assert int(dollars) == round(without_traffic())


def test_monthly_prices_follow_the_template() -> None:
    there = inventory(ROOT)
    functions = [each.properties for each in functions_of(TEMPLATE).values()]
    snapshots = [each.get("MemorySize", 512) for each in functions if "SnapStart" in each]
    assert there.snapshot_gb * 1024 == sum(snapshots) > 0
    assert there.alarms > len(functions)


def test_twice_the_requests_cost_about_twice_as_much() -> None:
    once, twice = Workload(), Workload(lists=1_400_000, reads=400_000, creates=200_000)
    assert 1.6 < total(of_traffic(twice)) / total(of_traffic(once)) <= 2
