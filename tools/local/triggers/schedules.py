"""Schedules: functions that are called at a rate, or on request."""

from __future__ import annotations

import re
import threading
import time
import traceback
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tools.local.backends.environment import ACCOUNT, REGION
from tools.local.backends.resources import logical_id
from tools.local.log_entries import DeliveryLog, DeliveryLogEntry
from tools.local.template import Template
from tools.local.triggers.poller import STOP_TIMEOUT, Event, InvocationFailed, Invoke

_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_ROTATION_STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


@dataclass(frozen=True)
class Schedule:
    """A schedule of a function."""

    function: str
    """The function's logical id."""
    expression: str
    """Its rate, as the template says it."""
    is_on: bool = True
    secret: str | None = None
    """The logical id of the secret to rotate, if the call is a rotation."""

    @property
    def period(self) -> float | None:
        """Seconds between two calls; None for a time of day, which is not kept here.

        See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
        """
        match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", self.expression)
        return int(match[1]) * _SECONDS[match[2]] if match else None

    def events(self) -> list[Event]:
        """Make the events of one call: a rotation has four."""
        if self.secret is None:
            return [_scheduled_event(self.function)]
        version = str(uuid.uuid4())
        return [
            {"Step": step, "SecretId": self.secret, "ClientRequestToken": version} for step in _ROTATION_STEPS
        ]


def schedules(template: Template) -> Iterator[Schedule]:
    """Read which functions have schedules."""
    for name, resource in template.resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            for event in properties.get("Events", {}).values():
                if event["Type"] == "Schedule":
                    of_event = event["Properties"]
                    is_on = of_event.get("Enabled", of_event.get("State", "ENABLED") == "ENABLED")
                    yield Schedule(name, of_event["Schedule"], is_on)
        elif resource["Type"] == "AWS::SecretsManager::RotationSchedule":
            yield Schedule(
                logical_id(properties["RotationLambdaARN"]),
                properties["RotationRules"]["ScheduleExpression"],
                secret=logical_id(properties["SecretId"]),
            )


class Timers:
    """Calls functions when it is time."""

    def __init__(
        self, schedules: Iterable[Schedule], invoke: Invoke, log: DeliveryLog, *, start: bool = True
    ) -> None:
        """Start the timers of the schedules that are on."""
        self.schedules = list(schedules)
        self._invoke = invoke
        self._log = log
        self._stopping = threading.Event()
        self._working = threading.Lock()
        for schedule in self.schedules:
            if start and schedule.is_on and schedule.period:
                threading.Thread(target=self._run, args=[schedule, schedule.period], daemon=True).start()

    def call(self, schedule: Schedule) -> bool:
        """Call a function as its schedule does; returns whether it succeeded."""
        started, failed = time.perf_counter(), 0
        with self._working:
            if self._stopping.is_set():
                return False
            try:
                for event in schedule.events():
                    self._invoke(schedule.function, event)
            except InvocationFailed:
                failed = 1
        seconds = time.perf_counter() - started
        self._log(DeliveryLogEntry(schedule.function, schedule.expression, 1, failed, seconds))
        return not failed

    def stop(self) -> None:
        """Begin no further call, and let one end that has begun."""
        self._stopping.set()
        if self._working.acquire(timeout=STOP_TIMEOUT):
            self._working.release()

    def _run(self, schedule: Schedule, period: float) -> None:
        while not self._stopping.wait(period):
            try:
                self.call(schedule)
            except Exception:
                traceback.print_exc()  # an ended timer would never call again


def _scheduled_event(function: str) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{function}"],
        "detail": {},
    }
