"""Errors of the local stack, for its user."""


class LocalStackError(Exception):
    """The message is one line: the error, and what to do."""
