"""`make trace`, `make errors` and `make slowest`: what the log of a stack says, by its saved queries."""
