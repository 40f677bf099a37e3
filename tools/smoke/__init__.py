"""`make smoke`: whether a deployed API does what only a real account can show."""
