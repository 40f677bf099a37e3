"""Benchmarks against the alternatives that people use; `make bench` writes RESULTS.md."""
