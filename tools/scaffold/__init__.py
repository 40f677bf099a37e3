"""A new endpoint, written by `make endpoint` from what the project itself looks like."""
