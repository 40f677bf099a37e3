"""`make redrive` for dead letters, `make republish` for unpublished events."""
