"""Error reports without the frames that import and call a function."""

from __future__ import annotations

import os
import traceback
from types import TracebackType

from tools.local.runtime.spec import FunctionSpec

_MAX_CAUSES = 10


def of_handler(error: BaseException, caller: str) -> str:
    """Format an error that a handler raised, from the handler on.

    Args:
        error: What was raised.
        caller: The file that called the handler; its frames are left out.
    """
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == caller:
        frames = frames.tb_next
    return _format(error, frames)


def of_import(error: BaseException, spec: FunctionSpec) -> str:
    """Format an error that importing a function raised, with the frames of the project's own code only."""
    own = (_folder(spec.code), _folder(os.path.join(spec.root, "shared")))  # noqa: PTH118
    causes, cause = 0, error
    while causes < _MAX_CAUSES:
        cause.__traceback__ = _only(cause.__traceback__, own)
        following = cause.__cause__ or cause.__context__
        if following is None:
            break
        causes, cause = causes + 1, following
    return _format(error, error.__traceback__)


def message_of(error: BaseException) -> str:
    """Return an error's message, even if the error's own `__str__` fails."""
    try:
        return str(error)
    except Exception:
        return f"<{type(error).__name__} whose message cannot be read>"


def _format(error: BaseException, frames: TracebackType | None) -> str:
    try:
        lines = traceback.format_exception(type(error), error, frames)
    except Exception:  # such as an error whose causes form a deep cycle
        return f"{type(error).__name__}: {message_of(error)}"
    return "".join(lines).rstrip("\n")


def _folder(path: str) -> str:
    return os.path.join(os.path.realpath(path), "")  # noqa: PTH118


def _only(frames: TracebackType | None, folders: tuple[str, ...]) -> TracebackType | None:
    """Keep the frames of code in some folders."""
    kept = []
    while frames is not None:
        if os.path.realpath(frames.tb_frame.f_code.co_filename).startswith(folders):
            kept.append(frames)
        frames = frames.tb_next
    following = None
    for frame in reversed(kept):
        following = TracebackType(following, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return following
