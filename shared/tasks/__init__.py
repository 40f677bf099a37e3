"""Tasks: what they are, how they are stored, listed, cached and told of. Knows nothing of HTTP."""
