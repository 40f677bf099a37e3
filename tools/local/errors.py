"""Errors of the local stack, for the person who started it."""


class LocalStackError(Exception):
    """The message is one line: what is wrong, and what to do about it."""
