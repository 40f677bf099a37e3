"""Commands for operators: reset a user's password, delete a user, or export a user's data."""
