"""Numbered migrations of what is in the tables: `make migrate` applies those that a stack has not had yet.

A migration looks at each item of a table and says what to change about it. The rest is in `runner`: it
records which are applied, goes on where an earlier run ended, makes sure that nothing is left over, and
changes only so much a second that the functions can serve all the while. To add one, write the module with
the next number and name it in `MIGRATIONS` in `__main__`.
"""
