"""How fast it is, against what people would use instead: `make bench` writes RESULTS.md."""
