"""Notifications about tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from shared.logs import logger


class Notifier(Protocol):
    """Sends notifications: by mail, to a chat, to a phone."""

    def task_created(self, task: Mapping[str, Any]) -> None:
        """Notify that a task was created.

        Args:
            task: A task document.

        Raises:
            Exception: it could not be sent; it will be tried again.
        """

    def task_due(self, task: Mapping[str, Any]) -> None:
        """Remind of a task that is due now; same arguments and errors."""


class LogNotifier:
    """A mock of a real service: logs each notification."""

    def task_created(self, task: Mapping[str, Any]) -> None:
        """Log the notification."""
        logger.info("notification sent", task_id=task["id"], title=task["title"])

    def task_due(self, task: Mapping[str, Any]) -> None:
        """Log the reminder."""
        logger.info("notification sent", task_id=task["id"], title=task["title"], due_at=task["due_at"])
