"""Models of requests about users, sessions and API keys."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from shared.api.models import LATEST, Body, Composed, Form, PageQuery, Whole
from shared.api.paging import from_cursor
from shared.api.problems import InvalidRequest
from shared.api.text import PRINTABLE, TRIMMED_LINE, one_line, printable, visible
from shared.errors import UnsupportedGrant
from shared.logs import conceal
from shared.users.api_key import Scope

# Concealed as soon as they are read, so that no error can quote them. A password to verify is not normalized,
# because version 1.0 hashed passwords as typed.
Password = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(conceal)]
NewPassword = Annotated[
    str,
    StringConstraints(min_length=8, max_length=128),
    Composed,
    AfterValidator(printable),
    Field(json_schema_extra={"pattern": PRINTABLE}),
    AfterValidator(conceal),
]


_USERNAME = r"[A-Za-z0-9_.@-]{3,32}"
_PASSWORD, _REFRESH = "password", "refresh_token"
_FIELDS = {"": ["username", "password"], _PASSWORD: ["username", "password"], _REFRESH: ["refresh_token"]}
"""The fields that each grant requires."""
_REQUIRED: Any = {
    "if": {"properties": {"grant_type": {"const": _REFRESH}}, "required": ["grant_type"]},
    "then": {"required": _FIELDS[_REFRESH]},
    "else": {"required": _FIELDS[_PASSWORD]},
}
"""The same, in JSON Schema."""


def _unreserved(username: str) -> str:
    if username.lower() == "none":  # `assignee=none` finds unassigned tasks
        raise ValueError("Choose another name; this one means nobody")
    return username


def _username_key(text: str) -> str:
    if not re.fullmatch(_USERNAME, text, re.ASCII):
        raise ValueError("no username")
    return text.lower()


_Cursor = Annotated[
    str,
    PlainValidator(partial(from_cursor, parse=_username_key)),
    WithJsonSchema({"type": "string", "format": "user-cursor", "minLength": 1}),
]
Token = Annotated[str, StringConstraints(min_length=1, max_length=2048), AfterValidator(conceal)]


class NewUser(Body):
    """A user to create."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "ada", "password": "correct horse battery"}]}
    )

    username: Annotated[str, AfterValidator(_unreserved)] = Field(
        pattern=f"^{_USERNAME}$",
        description="Unique, whatever the case: `Ada` and `ada` are one name. `none` is nobody's.",
    )
    password: NewPassword = Field(description="At least 8 characters.")


class LoginForm(Form):
    """A username and a password, or a refresh token (RFC 6749, sections 4.3.2 and 6)."""

    model_config = ConfigDict(json_schema_extra=_REQUIRED)

    grant_type: str = Field(
        _PASSWORD,
        description="Empty is as if it were not sent (RFC 6749, section 3.2).",
        json_schema_extra={"enum": ["", _PASSWORD, _REFRESH]},
    )
    username: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)] = Field(
        "",
        description="Upper and lower case do not matter, nor does white space around it.",
        examples=["ada"],
        validate_default=False,
    )
    password: Password = Field("", description="The user's password.", examples=["correct horse battery"])
    device_token: Token = Field(
        "",
        description="From your last sign-in on this device: with it, nobody who guesses slows you down.",
    )
    refresh_token: Token = Field("", description="With grant_type=refresh_token: from the response before.")

    @property
    def is_refresh(self) -> bool:
        """Whether a refresh token is to be exchanged."""
        return self.grant_type == _REFRESH

    @model_validator(mode="before")
    @classmethod
    def _has_a_known_grant_and_its_fields(cls, form: Any) -> Any:
        # First of all, because forms of other grants have other fields.
        grant = form.get("grant_type", _PASSWORD)
        if not isinstance(grant, str):
            raise InvalidRequest([{"field": "grant_type", "message": "Send it once"}])
        if grant not in _FIELDS:
            raise UnsupportedGrant
        missing = [name for name in _FIELDS[grant] if name not in form]
        if missing:
            raise InvalidRequest([{"field": name, "message": "Field required"} for name in missing])
        return form


class RevocationForm(Form):
    """A token to revoke (RFC 7009, section 2.1)."""

    token: Token = Field(description="A refresh token or an access token. Its session ends.")
    token_type_hint: str = Field("", description="Not needed: tokens show what they are.")


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


class AccountDeletion(Body):
    """The password, to delete the account of the signed-in user."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"current_password": "correct horse battery"}]})

    current_password: Password = Field(description="Your password.")


class NewApiKey(Body):
    """An API key to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "nightly report", "scope": "read"}]})

    name: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
        Composed,
        AfterValidator(one_line),
        AfterValidator(visible),
        Field(json_schema_extra={"pattern": TRIMMED_LINE}),
    ] = Field(description="What it is for, so that you know it among your keys.")
    scope: Scope = Field(description="`read` reads tasks; `write` changes them, too.")
    expires_at: Annotated[int, Field(strict=True, gt=0, le=LATEST), Whole] | None = Field(
        None, description="Unix time in seconds at which it ends; without, it has no end."
    )

    @field_validator("expires_at")
    @classmethod
    def _lies_ahead(cls, expires_at: int | None) -> int | None:
        if expires_at is not None and expires_at <= time.time():
            raise ValueError("Input should be a time that is still to come")
        return expires_at


class UserListQuery(PageQuery):
    """Which users to list, and which page of them."""

    prefix: Annotated[str, StringConstraints(min_length=1, max_length=32)] | None = Field(
        None, description="Only users whose name begins so, in whatever case.", examples=["ad"]
    )
    cursor: _Cursor | None = Field(None, description="Where the page begins; comes from a Link header.")
