"""`make smoke`: checks a deployed API for behavior that only a real AWS account shows."""
