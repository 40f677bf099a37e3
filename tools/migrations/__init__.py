"""Numbered data migrations: `make migrate` applies those that a stack has not had yet.

A migration decides how to change each item of a table. The `runner` does the rest: it records applied
migrations, resumes interrupted runs, checks that no item is left over, and limits its rate so that the
functions can serve meanwhile. To add a migration, write a module with the next number and add it to
`MIGRATIONS` in `__main__`.
"""
