"""Generates code: `make endpoint` adds an endpoint, `make new` creates a service, `make rename` renames."""
