"""Calling webhooks safely. Knows nothing of tasks, of DynamoDB or of the API."""
