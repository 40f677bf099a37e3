"""Writes code: `make endpoint` a new endpoint, `make new` a service of one's own, `make rename` another name."""
