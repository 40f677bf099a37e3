"""Runs functions in warm worker processes, as Lambda does in its execution environments."""
