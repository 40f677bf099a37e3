"""JSON Schemas of request models and response documents."""

from __future__ import annotations

import functools
import operator
from collections.abc import Collection
from types import UnionType
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel, create_model
from pydantic.json_schema import GenerateJsonSchema, models_json_schema


class _Generator(GenerateJsonSchema):
    """Adapts pydantic's schemas: decimals are numbers, and null or empty defaults are left out.

    Fields need no titles.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 (pydantic passes it)
        return False

    def decimal_schema(self, schema: Any) -> dict[str, Any]:
        return {"type": "number", "minimum": int(schema["ge"]), "maximum": int(schema["le"])}

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        """Move the description from the value to the field."""
        described = super().nullable_schema(schema)
        inner = described.get("anyOf", [{}])[0]
        return described | {name: inner.pop(name) for name in ("description", "examples") if name in inner}

    def default_schema(self, schema: Any) -> dict[str, Any]:
        described = super().default_schema(schema)
        if described.get("default", ...) in (None, ""):
            del described["default"]
        return described


class Schemas:
    """Schemas of all models and documents of an API."""

    def __init__(
        self,
        models: Collection[type[BaseModel]],
        documents: Collection[type],
        place: str = "#/components/schemas/",
    ) -> None:
        """Generate the schemas.

        Args:
            models: Models of requests.
            documents: TypedDicts of responses and events; `Schema` annotates their fields.
            place: Path of the schemas in their document.
        """
        self._place = place
        self._documents: dict[type, type[BaseModel]] = {}
        modes = [(model, "validation") for model in [*models, *map(self._model, documents)]]
        _, schemas = models_json_schema(
            modes,  # type: ignore[arg-type]
            ref_template=f"{place}{{model}}",
            schema_generator=_Generator,
        )
        self.components: dict[str, Any] = dict(sorted(schemas["$defs"].items()))

    def reference(self, kind: Any) -> dict[str, Any]:
        """Refer to the schema of a model, of a document, or of a list of one."""
        if get_origin(kind) is list:
            return {"type": "array", "items": self.reference(get_args(kind)[0])}
        model = self._documents.get(kind, kind)
        return {"$ref": f"{self._place}{model.__name__}"}

    def take_properties(self, model: type[BaseModel]) -> dict[str, Any]:
        """Remove a model from the components, and return its properties as parameters, without null."""
        properties = self.components.pop(model.__name__)["properties"]
        return {name: _without_null(schema) for name, schema in properties.items()}

    def _model(self, document: type) -> type[BaseModel]:
        """Convert a document to a model; pydantic itself does so only from Python 3.12."""
        if document not in self._documents:
            hints = get_type_hints(document, include_extras=True)
            fields: dict[str, Any] = {name: self._field(hint) for name, hint in hints.items()}
            name = document.__name__.removesuffix("Document")
            self._documents[document] = create_model(name, __doc__=document.__doc__, **fields)
        return self._documents[document]

    def _field(self, hint: Any) -> tuple[Any, Any]:
        if get_origin(hint) is NotRequired:
            return self._converted(get_args(hint)[0]), None
        return self._converted(hint), ...

    def _converted(self, hint: Any) -> Any:
        """Replace documents by models."""
        parts = get_args(hint)
        if get_origin(hint) is Annotated:
            return Annotated[self._converted(parts[0]), *parts[1:]]
        if get_origin(hint) is list:
            return list[self._converted(parts[0])]  # type: ignore[misc]
        if get_origin(hint) in {Union, UnionType}:
            return functools.reduce(operator.or_, map(self._converted, parts))
        return self._model(hint) if is_typeddict(hint) else hint


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    options = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(options) != 1:
        return schema
    return {**options[0], **{name: each for name, each in schema.items() if name != "anyOf"}}
