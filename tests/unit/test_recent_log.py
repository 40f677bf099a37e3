"""What `make trace` finds in the log of a local stack."""

from __future__ import annotations

import json

from tools.local.recent_log import RecentLog


def entry(request_id: str, **fields: object) -> str:
    return json.dumps({"correlation_id": request_id, **fields})


def test_the_entries_of_a_request_are_found_oldest_first() -> None:
    log = RecentLog()
    log.add(entry("1", timestamp="3") + "\n" + entry("2", timestamp="1", message="after 1"))
    log.add("1 is printed")
    log.add("[" * 100_000 + "1")
    log.add(entry("1", timestamp="2"))
    assert [found["timestamp"] for found in log.entries_of("1")] == ["2", "3"]


def test_the_oldest_entries_are_dropped() -> None:
    log = RecentLog(max_size=2 * len(entry("1")))
    for request_id in ("1", "2", "3"):
        log.add(entry(request_id))
    assert [len(log.entries_of(request_id)) for request_id in ("1", "2", "3")] == [0, 1, 1]
