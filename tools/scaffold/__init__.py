"""Writes code: `make endpoint` a new endpoint, `make new` a service of your own, `make rename` a name."""
