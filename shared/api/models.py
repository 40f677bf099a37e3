"""What the models of request bodies, forms and query strings have in common."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from shared.api.problems import FieldError, InvalidRequest
from shared.api.request import FORM, Request
from shared.api.response import JSON


class _Input(BaseModel):
    # Built when a request needs it: a function imports several models and uses one.
    model_config = ConfigDict(frozen=True, defer_build=True)

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
            raise InvalidRequest([_field_error(each) for each in details]) from error


class Body(_Input):
    """A JSON body; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")
    media_type: ClassVar = JSON

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read it from a request.

        Raises:
            InvalidRequest: it is not JSON, or not valid.
        """
        return cls.parse(request.json())


class Form(_Input):
    """A form; unknown fields are ignored, as OAuth 2 wants it (RFC 6749, section 3.2)."""

    media_type: ClassVar = FORM

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read it from a request.

        Raises:
            InvalidRequest: it is no form, or not valid.
        """
        return cls.parse(request.form())


class Query(_Input):
    """A query string; unknown parameters are ignored."""

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read it from a request.

        Raises:
            InvalidRequest: it is not valid.
        """
        return cls.parse(request.query())


def _field_error(error: ErrorDetails) -> FieldError:
    field = ".".join(str(part) for part in error["loc"]) or "body"
    if error["type"] == "model_type":
        return {"field": field, "message": "Input should be an object"}
    return {"field": field, "message": str(error.get("ctx", {}).get("error") or error["msg"])}
