"""What HTTP adds to the domain: requests, responses, problem details, and the declaration of endpoints."""
