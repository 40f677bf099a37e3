"""Users, passwords, access tokens and the keys that sign them. Knows nothing of HTTP."""
