"""Tasks: the model, the store, the list and its cache, events. Knows nothing of HTTP."""
