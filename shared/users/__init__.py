"""Users, their passwords, and the tokens that they sign in with. Knows nothing of HTTP."""
