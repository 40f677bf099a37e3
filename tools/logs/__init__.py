"""`make trace`, `make errors` and `make slowest`: query a stack's log, with its saved queries."""
