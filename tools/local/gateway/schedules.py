"""Routes beside the API's own, by which `make schedule` lists schedules and calls functions."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, request

from tools.local.gateway.origins import is_loopback
from tools.local.triggers.schedules import Timers

PATH = "/_schedules"


def routes(timers: Timers) -> Blueprint:
    """Make the routes."""
    blueprint = Blueprint("schedules", __name__)

    @blueprint.before_request
    def only_from_here() -> None:
        """Refuse other machines, and web pages, which may use the API."""
        if not is_loopback(request.remote_addr or "") or "Origin" in request.headers:
            abort(404)

    @blueprint.get(PATH)
    def listed() -> list[dict[str, Any]]:
        return [
            {"function": each.function, "schedule": each.expression, "is_on": each.is_on}
            for each in timers.schedules
        ]

    @blueprint.post(f"{PATH}/<function>")
    def call(function: str) -> tuple[dict[str, Any], int]:
        found = [each for each in timers.schedules if each.function == function]
        return {"succeeded": all(map(timers.call, found))}, 200 if found else 404

    return blueprint
