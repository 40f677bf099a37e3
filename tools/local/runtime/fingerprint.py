"""Fingerprints of a function's code, to notice that it has changed."""

from __future__ import annotations

import os
import stat

Fingerprint = frozenset[tuple[str, int, int]]


def fingerprint(*folders: str) -> Fingerprint:
    """List every file in some folders with its time of change and its size.

    This runs for each request while editors save: what is hidden, dangles, is no file or vanishes meanwhile
    is left out. Folders behind links are not entered.
    """
    found: list[tuple[str, int, int]] = []
    pending = list(folders)
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.name == "__pycache__":
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                        continue
                    try:
                        status = entry.stat()
                    except OSError:
                        continue
                    if stat.S_ISREG(status.st_mode):
                        found.append((entry.path, status.st_mtime_ns, status.st_size))
        except OSError:
            continue
    return frozenset(found)
