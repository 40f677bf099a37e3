"""`make republish`: publishes events after the retries of `publish_task_events` have ended."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Protocol

from shared.tasks.bus import EventBus
from shared.tasks.events import TaskEventDocument, event_of
from tools.events.command import Progress, complain, duration, parser, run
from tools.stacks import Stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
"""Exceptions of reading a malformed record or object."""


class Store(Protocol):
    """Storage of the failed invocations, one object each."""

    name: str

    def keys(self) -> list[str]:
        """List the objects, the oldest first."""

    def read(self, key: str) -> str | bytes | None:
        """Read an object; None if it is gone."""

    def delete(self, key: str) -> None:
        """Delete an object."""


class Bucket:
    """An S3 bucket."""

    def __init__(self, s3: S3Client, name: str) -> None:
        self._s3 = s3
        self.name = name

    def keys(self) -> list[str]:
        """List the objects, the oldest first."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        found = [(each["LastModified"], each["Key"]) for page in pages for each in page.get("Contents", [])]
        return [key for _, key in sorted(found)]

    def read(self, key: str) -> bytes | None:
        """Read an object; None if it is gone."""
        try:
            return self._s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return None

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._s3.delete_object(Bucket=self.name, Key=key)


class BucketTable:
    """The local stack's substitute for a bucket, a table: see `tools.local.backends.resources`."""

    def __init__(self, dynamodb: DynamoDBClient, name: str) -> None:
        self._dynamodb = dynamodb
        self.name = name

    def keys(self) -> list[str]:
        """List the objects, the oldest first."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self.name)
        found = [
            (_timestamp(item["body"]["S"]), item["key"]["S"]) for page in pages for item in page["Items"]
        ]
        return [key for _, key in sorted(found)]

    def read(self, key: str) -> str | None:
        """Read an object; None if it is gone."""
        item = self._dynamodb.get_item(TableName=self.name, Key={"key": {"S": key}}).get("Item")
        return item["body"]["S"] if item else None

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._dynamodb.delete_item(TableName=self.name, Key={"key": {"S": key}})


def store_of(stack: Stack) -> Store:
    """Find a stack's storage of unpublished events."""
    name = stack.physical_name("UnpublishedEventsBucket")
    return BucketTable(stack.dynamodb, name) if stack.endpoint_url else Bucket(stack.client("s3"), name)


def main() -> int:
    """Publish the unpublished events; returns the exit status."""
    options = parser(
        "republish",
        "Publish the changes of tasks whose retries ended before they were published. Fix the cause first. "
        "Starts with the oldest, and deletes what it has published. Safe to repeat: an event keeps its id, "
        "and consumers deduplicate.",
    )
    return run(options.parse_args(), _republish)


def _republish(chosen: argparse.Namespace, stack: Stack) -> bool:
    os.environ["POWERTOOLS_SERVICE_NAME"] = stack.name  # part of each event's source
    store = store_of(stack)
    bus = stack.physical_name("EventBus")
    keys = store.keys()
    print(
        f"{store.name}: {len(keys):,} objects, to publish on the bus {bus} at {chosen.rate} events/s: "
        f"{duration(len(keys), chosen.rate)} if each has one",
        flush=True,
    )
    if chosen.dry_run or not keys:
        return True
    work = _Work(store, EventBus(stack.client("events"), bus), len(keys))
    with Progress(chosen.rate, work.line) as progress:
        for key in keys:
            work.publish(key, progress)
    return not work.kept


class _Work:
    """Publishes the objects of a store, and deletes those that were published completely."""

    def __init__(self, store: Store, bus: EventBus, total: int) -> None:
        self._store = store
        self._bus = bus
        self._total = total
        self._done = self._published = self.kept = 0

    def line(self) -> str:
        kept = f", {self.kept:,} kept" if self.kept else ""
        return f"{self._done:,} of {self._total:,} objects, {self._published:,} events published{kept}"

    def publish(self, key: str, progress: Progress) -> None:
        body = self._store.read(key)
        if body is not None:
            events, problems = _events_of(body)
            for start in range(0, len(events), progress.batch_size):
                batch = events[start : start + progress.batch_size]
                published = self._bus.publish(batch)
                self._published += published
                progress.pause(len(batch))
                if published < len(batch):
                    problems.append(f"event {batch[published]['id']} was not published")
                    break
            if problems:
                self.kept += 1
                complain(f"{key} is kept: {'; '.join(problems)}")
            else:
                self._store.delete(key)
        self._done += 1


def _events_of(body: str | bytes) -> tuple[list[TaskEventDocument], list[str]]:
    """Convert a failed invocation's records to events; also returns the problems of unreadable records.

    See https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    events: list[TaskEventDocument] = []
    problems: list[str] = []
    try:
        payload = json.loads(body)["payload"]
        records: list[Any] = (json.loads(payload) if isinstance(payload, str) else payload)["Records"]
    except _UNREADABLE as error:
        return events, [f"it cannot be read: {error!r}"]
    for number, record in enumerate(records, 1):
        try:
            event = event_of(record)
        except _UNREADABLE as error:
            problems.append(f"record {number} cannot be read: {error!r}")
        else:
            events += [event] if event else []
    return events, problems


def _timestamp(body: str) -> str:
    """Time when an object was written, as sortable text; empty if unreadable."""
    try:
        return str(json.loads(body)["timestamp"])
    except _UNREADABLE:
        return ""


if __name__ == "__main__":
    sys.exit(main())
