"""Base classes of the models of request bodies, forms and query strings."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from shared.api.problems import MAX_ERRORS, MAX_NAME, FieldError, InvalidRequest
from shared.api.request import FORM, Request
from shared.api.response import JSON
from shared.api.text import composed

LATEST = 253_402_300_799
"""The end of the year 9999, as a Unix time in seconds."""


class _Input(BaseModel):
    is_query: ClassVar[bool] = False
    # Built when a request needs it: a function imports several models and uses one.
    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid", hide_input_in_errors=True)

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
            raise InvalidRequest([_field_error(each) for each in details[:MAX_ERRORS]]) from error


class Body(_Input):
    """A JSON body; unknown fields are refused."""

    media_types: ClassVar[tuple[str, ...]] = (JSON,)
    is_optional: ClassVar[bool] = False
    """Whether it may be left out, which is the same as an empty object."""

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read it from a request.

        Raises:
            InvalidRequest: it is not JSON, or not valid.
            UnsupportedMediaType: it is sent as something else.
        """
        if cls.is_optional and not request.has_body:
            return cls.parse({})
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

    is_query: ClassVar[bool] = True

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read it from a request.

        Raises:
            InvalidRequest: it is not valid.
        """
        return cls.parse(request.query())


def _compose(value: Any) -> Any:
    return composed(value) if isinstance(value, str) else value


def _matching(pattern: str, message: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError(message)
        return value

    return BeforeValidator(check)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)
"""Takes 1.0 as the integer that it is in JSON Schema, before a strict check."""
Composed = BeforeValidator(_compose)
"""Composes a text (NFC) before its length is checked."""

# Python also accepts 1_000 and 1e3.
WholeNumber = _matching(r"\d{1,20}", "Input should be a whole number in decimal digits")
DecimalNumber = _matching(r"\d{1,20}(\.\d{1,20})?", "Input should be a number in decimal digits")


class PageQuery(Query):
    """Which page of a list to return; a list's own query adds its cursor."""

    limit: Annotated[int, WholeNumber] = Field(20, ge=1, le=100, description="How many to return at most.")

    def carried_over(self) -> dict[str, Any]:
        """Return the parameters that the link to the next page repeats."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"cursor"})


def _field_error(error: ErrorDetails) -> FieldError:
    names = (part for part in error["loc"] if isinstance(part, str))  # without list indexes
    field = ".".join(names)[:MAX_NAME] or "body"
    if error["type"] == "model_type":
        return {"field": field, "message": "Input should be an object"}
    return {"field": field, "message": str(error.get("ctx", {}).get("error") or error["msg"])}
