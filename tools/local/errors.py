"""What the local stack cannot do, told to the person who started it."""


class LocalStackError(Exception):
    """The message is one line: what is wrong, and what to do about it."""
