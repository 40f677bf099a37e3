"""What requests must be like. `openapi` makes the API's document of the same schemas.

They are pydantic-core's own: to import pydantic, which would make them of classes, takes a fifth of a cold
start. See https://docs.pydantic.dev/latest/api/pydantic_core_schema/
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic_core import ErrorDetails, SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from shared.errors import InvalidRequest
from shared.tasks import Position, TaskStatus

_LATEST = Decimal(253_402_300_799)
"""The end of the year 9999, in seconds."""


class RequestSchema:
    """What a body, a form or a query must be like."""

    def __init__(self, core_schema: cs.CoreSchema) -> None:
        self.core_schema = core_schema
        self._validator = SchemaValidator(core_schema)

    def validate(self, value: object) -> dict[str, Any]:
        """Check a value and convert it to what the domain takes.

        Raises:
            InvalidRequest: it is not valid; names each field that is not.
        """
        try:
            fields: dict[str, Any] = self._validator.validate_python(value)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            raise InvalidRequest(
                [{"field": _name(each), "message": _message(each)} for each in found]
            ) from error
        return fields


def _name(error: ErrorDetails) -> str:
    return ".".join(str(part) for part in error["loc"]) or "body"


def _message(error: ErrorDetails) -> str:
    return str(error.get("ctx", {}).get("error") or error["msg"])


def _documented(schema: Any, **says: Any) -> Any:
    """Say something of a schema in the OpenAPI document that validation does not need."""
    return {**schema, "metadata": {"pydantic_js_updates": says}}


def _default(schema: Any, value: object) -> cs.TypedDictField:
    """Make a field of which `value` is taken when it is absent; null is not "absent"."""
    return cs.typed_dict_field(cs.with_default_schema(schema, default=value), required=False)


_required = cs.typed_dict_field

_title = cs.str_schema(strip_whitespace=True, min_length=1, max_length=200)
_description = cs.nullable_schema(cs.str_schema(max_length=10_000))
_status = cs.enum_schema(TaskStatus, list(TaskStatus), sub_type="str")

NEW_TASK = RequestSchema(
    _documented(
        cs.typed_dict_schema(
            {
                "title": _required(
                    _documented(
                        _title, description="Unique among all tasks; surrounding white space is dropped."
                    )
                ),
                "description": _default(_description, None),
                "status": _default(_status, TaskStatus.PENDING),
            },
            extra_behavior="forbid",
        ),
        examples=[{"title": "Book the venue", "description": "Room for 40, with a projector"}],
    )
)


def _changes_something(changes: dict[str, Any]) -> dict[str, Any]:
    if not changes:
        raise ValueError("give at least one of title, description and status")
    return changes


TASK_CHANGES = RequestSchema(
    _documented(
        cs.no_info_after_validator_function(
            _changes_something,
            cs.typed_dict_schema(
                {
                    "title": _required(_title, required=False),
                    "description": _required(
                        _documented(_description, description="null clears it."), required=False
                    ),
                    "status": _required(_status, required=False),
                },
                extra_behavior="forbid",
            ),
        ),
        minProperties=1,
        examples=[{"status": "IN_PROGRESS"}],
    )
)

NEW_USER = RequestSchema(
    _documented(
        cs.typed_dict_schema(
            {
                "username": _required(
                    _documented(
                        cs.str_schema(pattern=r"^[A-Za-z0-9_.@-]{3,32}$"),
                        description="Unique; upper and lower case are the same name.",
                    )
                ),
                "password": _required(cs.str_schema(min_length=8, max_length=128)),
            },
            extra_behavior="forbid",
        ),
        examples=[{"username": "ada", "password": "correct horse battery"}],
    )
)

# OAuth 2's password flow (RFC 6749, section 4.3.2); what else clients send is ignored.
LOGIN_FORM = RequestSchema(
    cs.typed_dict_schema(
        {
            "username": _required(cs.str_schema(min_length=1, max_length=128)),
            "password": _required(cs.str_schema(min_length=1, max_length=1024)),
            "grant_type": _default(cs.literal_schema(["password"]), "password"),
        }
    )
)

LIST_QUERY = RequestSchema(
    cs.typed_dict_schema(
        {
            "status": _default(_documented(_status, description="Only tasks with this status."), None),
            "created_at": _default(
                # Decimal, because a float cannot hold today's time to the microsecond.
                _documented(
                    cs.decimal_schema(ge=Decimal(0), le=_LATEST),
                    description="Only tasks created before this Unix time in seconds.",
                ),
                None,
            ),
            "skip": _default(
                _documented(
                    cs.int_schema(ge=0, le=10_000), description="For short lists; its cost grows with it."
                ),
                0,
            ),
            "limit": _default(cs.int_schema(ge=1, le=100), 20),
            "cursor": _default(
                _documented(
                    cs.no_info_after_validator_function(Position.from_cursor, cs.str_schema()),
                    description="From the Link header; costs the same however deep it points.",
                ),
                None,
            ),
        }
    )
)

DOCS_QUERY = RequestSchema(
    cs.typed_dict_schema({"format": _default(cs.literal_schema(["html", "json"]), "html")})
)
