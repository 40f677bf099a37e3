"""The bodies of responses, for the document."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.tasks import TaskStatus


class TaskDocument(BaseModel):
    """A task. Times are Unix times in whole seconds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10",
                    "title": "Book the venue",
                    "description": "Room for 40, with a projector",
                    "status": "PENDING",
                    "created_at": 1767225600,
                    "updated_at": 1767225600,
                }
            ]
        }
    )

    id: str
    title: str
    description: str | None
    status: TaskStatus
    created_at: int
    updated_at: int


class UserDocument(BaseModel):
    """A user. `created_at` is a Unix time in whole seconds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0b8c6d52-21c3-4f0e-8a55-6f1d2e7b9c34",
                    "username": "ada",
                    "created_at": 1767225600,
                }
            ]
        }
    )

    id: str
    username: str
    created_at: int


class TokenDocument(BaseModel):
    """An access token (RFC 6749, section 5.1). `expires_in` is in seconds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"access_token": "eyJhbGciOi…", "token_type": "bearer", "expires_in": 3600}]
        }
    )

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int


class FieldError(BaseModel):
    """What is wrong with one field of a request."""

    field: str
    message: str


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = Field(
        default_factory=list, description="With status 422: each field that is wrong, and why."
    )
