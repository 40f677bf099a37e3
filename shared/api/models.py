"""What the models of request bodies, forms and query strings have in common."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from shared.api.problems import FieldError, InvalidRequest
from shared.api.request import FORM, Request
from shared.api.response import JSON
from shared.api.text import composed

_MAX_ERRORS = 20
"""Errors that a response lists, so that it has a bound."""
_MAX_NAME = 100
"""Characters of a field's name, which can be the client's own."""


class _Input(BaseModel):
    # Built when a request needs it: a function imports several models and uses one.
    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    @classmethod
    def parse(cls, value: object) -> Self:
        """Validate a value.

        Raises:
            InvalidRequest: it is not valid; names each field that is not.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            raise InvalidRequest([_field_error(each) for each in details[:_MAX_ERRORS]]) from error


class Body(_Input):
    """A JSON body; unknown fields are refused."""

    media_types: ClassVar[tuple[str, ...]] = (JSON,)

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read it from a request.

        Raises:
            InvalidRequest: it is not JSON, or not valid.
            UnsupportedMediaType: it is sent as something else.
        """
        return cls.parse(request.json(cls.media_types))


class Form(_Input):
    """A form; unknown fields are ignored, as OAuth 2 wants it (RFC 6749, section 3.2)."""

    model_config = ConfigDict(extra="ignore")
    media_types: ClassVar[tuple[str, ...]] = (FORM,)

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read it from a request.

        Raises:
            InvalidRequest: it is no form, or not valid.
            UnsupportedMediaType: it is sent as something else.
        """
        return cls.parse(request.form())


class Query(_Input):
    """A query string; unknown parameters are refused."""

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read it from a request.

        Raises:
            InvalidRequest: it is not valid.
        """
        return cls.parse(request.query())


Composed = AfterValidator(composed)
"""Composes a text (NFC)."""


def _digits(value: Any) -> Any:
    """Refuse what Python takes for a number besides decimal digits, such as `1_000` and `1e3`."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,20}(\.\d{1,20})?", value, re.ASCII):
        raise ValueError("Input should be a number in decimal digits")
    return value


Digits = BeforeValidator(_digits)
"""Takes decimal digits only, with a fraction where the type has one."""


def _field_error(error: ErrorDetails) -> FieldError:
    names = (part for part in error["loc"] if isinstance(part, str))  # and no places in lists
    field = ".".join(names)[:_MAX_NAME] or "body"
    if error["type"] == "model_type":
        return {"field": field, "message": "Input should be an object"}
    return {"field": field, "message": str(error.get("ctx", {}).get("error") or error["msg"])}
