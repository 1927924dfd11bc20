"""Which endpoint a request is for. Segments are told apart before they are decoded, so an id may hold a slash."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import unquote

from candid_provider.emulator.catalogue import Endpoint

_PARAMETER = "{}"


class Match(NamedTuple):
    """What a path leads to; no endpoint for a path that is none of Candid's."""

    endpoint: Endpoint | None
    path: dict[str, str]


class Router:
    """A tree of path segments; a literal segment goes before a parameter, as in Candid's own routes."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._root: dict[str, Any] = {}
        for endpoint in endpoints:
            node = self._root
            for segment in _segments(endpoint.path):
                node = node.setdefault(_PARAMETER if segment.startswith("{") else segment, {})
            node.setdefault("", {})[endpoint.verb] = endpoint

    def match(self, verb: str, raw_path: bytes) -> Match | None:
        """The endpoint and the decoded values of its path parameters."""
        found = self._find(self._root, _segments(raw_path.decode("ascii", "replace")), [])
        if found is None:
            return None
        verbs, values = found
        endpoint = verbs.get(verb)
        if endpoint is None:
            return None
        return Match(endpoint, dict(zip(_names(endpoint.path), values, strict=True)))

    def verbs(self, raw_path: bytes) -> list[str]:
        """What may be done with a path; empty if it is none of Candid's."""
        found = self._find(self._root, _segments(raw_path.decode("ascii", "replace")), [])
        return sorted(found[0]) if found else []

    def _find(
        self, node: dict[str, Any], segments: list[str], values: list[str]
    ) -> tuple[dict[str, Endpoint], list[str]] | None:
        if not segments:
            return (node[""], values) if "" in node else None
        head, rest = segments[0], segments[1:]
        literal = unquote(head)
        if literal in node and (found := self._find(node[literal], rest, values)):
            return found
        if _PARAMETER in node:
            return self._find(node[_PARAMETER], rest, [*values, literal])
        return None


def _segments(path: str) -> list[str]:
    # The published OpenAPI doubles a slash (`/coverages/v1//{id}`), and events end in one: neither says anything.
    return [segment for segment in path.split("/") if segment]


def _names(path: str) -> list[str]:
    return [segment[1:-1] for segment in _segments(path) if segment.startswith("{")]
