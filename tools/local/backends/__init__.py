"""The AWS and the Redis that functions call here: a process of its own, `python -m tools.local.backends`."""
