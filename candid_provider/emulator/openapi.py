"""The emulator's own OpenAPI description, from what is known of the endpoints that it answers."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

from candid_provider.emulator.catalogue import (
    Endpoint,
    Parameter,
    body_definitions,
    body_schema,
    error_samples,
    required_body,
    response_sample,
)
from candid_provider.emulator.endpoints import TOKEN_ENDPOINT, emulated
from candid_provider.emulator.exchange.paging import largest_page

Schema = dict[str, Any]

_TYPES: Final[dict[str, Schema]] = {
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "dt.date": {"type": "string", "format": "date"},
    "Date": {"type": "string", "format": "date"},
    "dt.datetime": {"type": "string", "format": "date-time"},
    "uuid.UUID": {"type": "string", "format": "uuid"},
    "core.File": {"type": "string", "contentMediaType": "application/octet-stream"},
}
_LIST: Final = re.compile(r"(?:Union\[\w+, )?(?:Sequence|List|Set)\[([\w.]+)\]+")
_BODY: Final = "body."
_DETAIL: Final = {"$ref": "#/components/schemas/Detail"}
_PROBLEMS: Final = {"$ref": "#/components/schemas/HttpRequestValidationsError"}
_INVALID: Final = {"$ref": "#/components/schemas/Invalid"}
# What any endpoint may answer, declared or not.
_COMMON: Final[dict[int, tuple[str, list[Schema]]]] = {
    400: ("The body, or the page token, cannot be read", [_DETAIL, {"$ref": "#/components/schemas/BadRequestError"}]),
    401: ("No bearer token, or one that is unknown, revoked or expired", [_DETAIL]),
    404: ("There is no such record", [{"$ref": "#/components/schemas/Missing"}]),
    415: ("The body is not of the content type that the endpoint takes", [_DETAIL]),
    422: ("A parameter or a field has a bad value", [_PROBLEMS, _INVALID]),
    501: ("The emulator does not know this parameter, or this use of the endpoint", [_DETAIL]),
}


@cache
def description() -> dict[str, Any]:
    """The OpenAPI 3.1 description of the emulated endpoints, under their names in the SDK."""
    paths: dict[str, dict[str, Any]] = {}
    spelt: dict[str, str] = {}
    for endpoint in emulated():
        path = spelt.setdefault(re.sub(r"\{.*?\}", "{}", endpoint.path), endpoint.path)
        paths.setdefault(path, {})[endpoint.verb.lower()] = _operation(endpoint, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Emulator of the Candid Health API",
            "version": "1",
            "description": "Only what is emulated; shapes are those that Candid's official SDK requires.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": _errors(emulated()) | _definitions(),
        },
    }


def _definitions() -> dict[str, Schema]:
    return {_BODY + name: _public(schema) for name, schema in body_definitions().items()}


def _operation(endpoint: Endpoint, path: str) -> dict[str, Any]:
    # Two endpoints on one path may call its parameters differently; a description has one name for them.
    names = re.findall(r"\{(.*?)\}", path)
    operation: dict[str, Any] = {
        "operationId": endpoint.id,
        "tags": [endpoint.id.rpartition(".")[0]],
        "parameters": [
            *(_parameter(item, "path", name) for name, item in zip(names, endpoint.path_params, strict=True)),
            *(_query(endpoint, item) for item in endpoint.query_params),
        ],
        "responses": _responses(endpoint),
    }
    if endpoint.id == TOKEN_ENDPOINT:
        operation["security"] = []
    if (body := _body(endpoint)) is not None:
        operation["requestBody"] = body
    return operation


# --- what is asked


def _schema_of_type(name: str) -> Schema:
    if match := _LIST.fullmatch(name):
        return {"type": "array", "items": _schema_of_type(match[1])}
    return dict(_TYPES.get(name, {"type": "string"}))


def _parameter(item: Parameter, where: str, name: str) -> dict[str, Any]:
    schema = _schema_of_type(item.type)
    if where == "path" and schema.get("type") == "string":
        schema["minLength"] = 1
    return {"name": name, "in": where, "required": item.required, "schema": schema}


def _query(endpoint: Endpoint, item: Parameter) -> dict[str, Any]:
    parameter = _parameter(item, "query", item.name)
    if endpoint.paging and item.name == endpoint.paging.limit_param:
        parameter["schema"] |= {"minimum": 1, "maximum": largest_page(endpoint.id)}
    return parameter


def _body(endpoint: Endpoint) -> dict[str, Any] | None:
    kind, fields = endpoint.body["kind"], endpoint.body.get("fields", ())
    if kind == "none":
        return None
    required = bool(endpoint.body.get("required")) or any(field["required"] for field in fields)
    media = "multipart/form-data" if kind == "multipart" else "application/json"
    schema = _form(fields) if kind == "multipart" else _json(endpoint)
    return {"required": required, "content": {media: schema}}


def _form(fields: list[dict[str, Any]]) -> dict[str, Any]:
    properties = {field["name"]: _schema_of_type(field["type"]) for field in fields}
    required = [field["name"] for field in fields if field["required"]]
    return {"schema": {"type": "object", "required": required, "properties": properties}}


def _json(endpoint: Endpoint) -> dict[str, Any]:
    schema, example = _public(body_schema(endpoint.id)), required_body(endpoint.id)
    return {"schema": schema} if example is None else {"schema": schema, "example": example}


def _public(schema: Any) -> Any:
    """A schema of a body, with the definitions where a description has them."""
    if isinstance(schema, list):
        return [_public(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        return {"$ref": f"#/components/schemas/{_BODY}{schema['$ref']}"}
    return {name: _public(item) for name, item in schema.items()}


# --- what is answered


def schema_of(sample: Any) -> Schema:
    """The schema of values like a sample: all of its fields are required, others may be there."""
    if isinstance(sample, dict):
        # An object with a `type` is one of several shapes, of which the sample shows only one.
        names = ["type"] if "type" in sample else list(sample)
        properties = {name: schema_of(sample[name]) for name in names}
        return {"type": "object", "required": names, "properties": properties} if names else {}
    if isinstance(sample, list):
        return {"type": "array", "items": schema_of(sample[0]) if sample else {}}
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"))
    return next(({"type": name} for kind, name in kinds if isinstance(sample, kind)), {})


def _answer(endpoint: Endpoint) -> tuple[str, dict[str, Any]]:
    sample = response_sample(endpoint.id)
    if sample is None:
        return "204", {"description": "Done"}
    typical, optional = sample["typical"], sample["optional_fields"] or ()
    schema = {} if endpoint.response == "Any" else schema_of(typical)
    if optional and isinstance(typical, dict):
        schema.setdefault("properties", {}).update({name: {} for name in optional if name not in typical})
    return "200", {"description": "OK", "content": {"application/json": {"schema": schema}}}


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    status, answer = _answer(endpoint)
    refusals: dict[int, tuple[str, list[Schema]]] = {
        code: (text, [*found]) for code, (text, found) in _COMMON.items()
    }
    declared = list(endpoint.statuses.items())
    if endpoint.paging and endpoint.host == "candid_api":
        declared.append(("UnprocessableEntityError", 422))  # a page token of another listing
    if any(item.name == "version" for item in endpoint.path_params):
        declared.append(("VersionConflictError", 409))  # some of these do not declare it
    for name, code in declared:
        text, found = refusals.setdefault(code, ("Refused", []))
        reference = {"$ref": f"#/components/schemas/{name}"}
        if reference not in found:
            found.append(reference)
    answers = {status: answer}
    for code, (text, found) in sorted(refusals.items()):
        schema = found[0] if len(found) == 1 else {"anyOf": found}
        answers[str(code)] = {"description": text, "content": {"application/json": {"schema": schema}}}
    return answers


def _errors(described: list[Endpoint]) -> dict[str, Schema]:
    contents = {
        row["body"]["errorName"]: _content(row["body"].get("content"))
        for row in error_samples().values()
        if isinstance(row["body"], dict) and "errorName" in row["body"]
    }
    names = {name for endpoint in described for name in endpoint.statuses}
    names |= {
        "BadRequestError",
        "UnprocessableEntityError",
        "HttpRequestValidationsError",
        "EntityNotFoundError",
        "NotFoundError",
    }
    schemas = {name: _envelope(name, contents.get(name, {})) for name in sorted(names)}
    text = {"type": "string"}
    item = {
        "type": "object",
        "required": ["type", "loc", "msg"],
        "properties": {"type": text, "msg": text, "loc": {"type": "array", "items": text}},
    }
    return {
        **schemas,
        "Detail": {"type": "object", "required": ["detail"], "properties": {"detail": text}},
        "Invalid": {
            "type": "object",
            "required": ["detail"],
            "properties": {"detail": {"type": "array", "items": item}},
        },
        "Missing": {
            "anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("EntityNotFoundError", "NotFoundError")]
        },
    }


def _content(sample: Any) -> Schema:
    """The schema of an error's content: what a sample has in it may be null, or not there."""
    if not isinstance(sample, dict):
        return schema_of(sample)
    return {"type": "object", "properties": {name: _or_null(schema_of(value)) for name, value in sample.items()}}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _envelope(name: str, content: Schema) -> Schema:
    """An error as Candid writes it; pre_encounter's carry no `errorInstanceId`."""
    return {
        "type": "object",
        "required": ["errorName", "content"],
        "properties": {
            "errorName": {"const": name},
            "errorInstanceId": {"type": "string", "format": "uuid"},
            "content": content,
        },
    }
