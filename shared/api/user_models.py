"""Models of the requests that concern users: the one description of each."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from shared.api.models import Body, Composed, Form
from shared.api.text import PRINTABLE, printable
from shared.errors import UnsupportedGrant
from shared.logs import conceal

# Concealed when they are read, before anything can fail that has them in its text.
Password = Annotated[str, StringConstraints(min_length=1, max_length=1024), Composed, AfterValidator(conceal)]
NewPassword = Annotated[
    str,
    StringConstraints(min_length=8, max_length=128),
    Composed,
    AfterValidator(printable),
    Field(json_schema_extra={"pattern": PRINTABLE}),
    AfterValidator(conceal),
]


class NewUser(Body):
    """A user to create."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "ada", "password": "correct horse battery"}]}
    )

    username: str = Field(
        pattern=r"^[A-Za-z0-9_.@-]{3,32}$",
        description="Unique. Names that differ in upper and lower case only are the same name.",
    )
    password: NewPassword = Field(description="At least 8 characters.")


class LoginForm(Form):
    """A username and a password, as OAuth 2's password flow sends them (RFC 6749, section 4.3.2)."""

    username: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)] = Field(
        description="Upper and lower case do not matter, nor does white space around it.", examples=["ada"]
    )
    password: Password = Field(description="The user's password.", examples=["correct horse battery"])
    grant_type: str = Field(
        "password",
        description="The only grant there is; empty is as if it were not sent (RFC 6749, section 3.2).",
        json_schema_extra={"pattern": "^(password)?$"},
    )

    @model_validator(mode="before")
    @classmethod
    def _has_a_known_grant(cls, form: Any) -> Any:
        # First of all, because forms of other grants have other fields.
        if form.get("grant_type", "password") != "password":
            raise UnsupportedGrant
        return form


class PasswordChange(Body):
    """A new password for the signed-in user."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"current_password": "correct horse battery", "new_password": "staple correct battery"}
            ]
        }
    )

    current_password: Password = Field(description="The password until now.")
    new_password: NewPassword = Field(description="At least 8 characters.")
