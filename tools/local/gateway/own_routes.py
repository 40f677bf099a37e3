"""Routes of the local stack itself, for `make schedule` and `make trace`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, request

from tools.local.gateway.origins import is_loopback
from tools.local.recent_log import RecentLog
from tools.local.running import LOG, SCHEDULES
from tools.local.triggers.schedules import Timers


def routes(timers: Timers, log: RecentLog) -> Blueprint:
    """Make the routes."""
    blueprint = Blueprint("own", __name__)

    @blueprint.before_request
    def only_from_here() -> None:
        """Refuse other machines, and web pages, which may use the API."""
        if not is_loopback(request.remote_addr or "") or "Origin" in request.headers:
            abort(404)

    @blueprint.get(SCHEDULES)
    def schedules() -> list[dict[str, Any]]:
        return [
            {"function": each.function, "schedule": each.expression, "is_on": each.is_on}
            for each in timers.schedules
        ]

    @blueprint.post(f"{SCHEDULES}/<function>")
    def call(function: str) -> dict[str, bool]:
        found = [each for each in timers.schedules if each.function == function]
        return {"found": bool(found), "succeeded": all(map(timers.call, found))}

    @blueprint.get(f"{LOG}/<request_id>")
    def entries(request_id: str) -> list[dict[str, Any]]:
        return log.entries_of(request_id)

    return blueprint
