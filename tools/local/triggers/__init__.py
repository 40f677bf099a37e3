"""Queues and streams that call functions, as Lambda's event source mappings do."""
