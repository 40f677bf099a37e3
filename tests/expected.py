"""Expected behavior of routes, written by hand: derived from the template, it could not test the template."""

from __future__ import annotations

# Statuses of each operation in the contract, besides those that any route may return.
CONTRACT = {
    ("POST", "/auth/create"): {"201", "403", "409", "415", "422"},
    ("POST", "/auth/login"): {"200", "400", "401", "415", "422"},
    ("POST", "/auth/revoke"): {"200", "415", "422"},
    ("GET", "/auth/me"): {"200", "401", "403", "422"},
    ("POST", "/auth/password"): {"204", "401", "403", "415", "422"},
    ("POST", "/auth/delete"): {"204", "401", "403", "415", "422"},
    ("POST", "/auth/keys"): {"201", "401", "403", "409", "415", "422"},
    ("GET", "/auth/keys"): {"200", "401", "403", "422"},
    ("DELETE", "/auth/keys/{key_id}"): {"204", "401", "403", "404", "422"},
    ("GET", "/users"): {"200", "401", "422"},
    ("POST", "/tasks"): {"201", "401", "403", "409", "415", "422"},
    ("GET", "/tasks"): {"200", "304", "401", "422"},
    ("GET", "/tasks/{task_id}"): {"200", "304", "401", "404", "422"},
    ("PATCH", "/tasks/{task_id}"): {"200", "401", "403", "404", "409", "412", "415", "422"},
    ("DELETE", "/tasks/{task_id}"): {"204", "401", "403", "404", "412", "422"},
    ("GET", "/tasks/{task_id}/history"): {"200", "401", "404", "422"},
    ("GET", "/trash"): {"200", "401", "422"},
    ("POST", "/trash/{task_id}/restore"): {"200", "401", "403", "404", "409", "415", "422"},
    ("DELETE", "/trash/{task_id}"): {"204", "401", "403", "404", "422"},
    ("POST", "/webhooks"): {"201", "401", "403", "409", "415", "422"},
    ("GET", "/webhooks"): {"200", "401", "403", "422"},
    ("DELETE", "/webhooks/{webhook_id}"): {"204", "401", "403", "404", "422"},
    ("POST", "/webhooks/{webhook_id}/test"): {"202", "401", "403", "404", "422"},
    ("POST", "/webhooks/{webhook_id}/secret"): {"200", "401", "403", "404", "422"},
}

# The routes that are answered without a token.
PUBLIC = {
    ("POST", "/auth/create"),
    ("POST", "/auth/login"),
    ("POST", "/auth/revoke"),
    ("GET", "/"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
}
