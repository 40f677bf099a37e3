"""The HTTP edge: requests, responses, problem details, and the declaration of endpoints."""
