"""Models of the requests that concern users: the one description of each."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from shared.api.models import Body, Form


class NewUser(Body):
    """A user to create."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "ada", "password": "correct horse battery"}]}
    )

    username: str = Field(
        pattern=r"^[A-Za-z0-9_.@-]{3,32}$",
        description="Unique. Names that differ in upper and lower case only are the same name.",
    )
    password: str = Field(min_length=8, max_length=128, description="At least 8 characters.")


class LoginForm(Form):
    """A username and a password, as OAuth 2's password flow sends them (RFC 6749, section 4.3.2)."""

    username: str = Field(min_length=1, max_length=128, description="Upper and lower case do not matter.")
    password: str = Field(min_length=1, max_length=1024, description="The user's password.")
    grant_type: Literal["password"] = Field("password", description="The only grant there is.")
