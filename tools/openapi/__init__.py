"""The API's OpenAPI document: `make openapi` writes it, `functions/api_docs` serves it."""
