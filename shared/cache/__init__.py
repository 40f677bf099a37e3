"""A cache for pages of a list, in Redis or Valkey. Knows nothing of tasks."""
