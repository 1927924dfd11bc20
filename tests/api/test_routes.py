"""Routes: a path's template names it in logs, and no id in it ever shows."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.api.routes import ROUTES, UNLISTED, route_of

words = st.sampled_from(sorted({part for route in ROUTES for part in route.split("/")}))
ids = st.text(alphabet=st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1).map(
    lambda text: f"~{text}"
)


@pytest.mark.parametrize("route", ROUTES)
def test_each_template_names_itself(route: str) -> None:
    assert route_of(route) == route
    assert route_of(route + "/") == route


def test_no_template_is_listed_twice() -> None:
    assert len(set(ROUTES)) == len(ROUTES)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/patients/v1/search_providers", "/patients/v1/search_providers"),
        ("/patients/v1/12345", "/patients/v1/{id}"),
        ("/patients/v1/updates/scan", "/patients/v1/updates/scan"),
        ("/patients/v1/12345/history", "/patients/v1/{id}/history"),
        ("/patients/v1/12345/7", "/patients/v1/{id}/{version}"),
        ("/patients/v1/mrn/A-1", "/patients/v1/mrn/{mrn}"),
        ("/api/encounters/v4/universal", "/api/encounters/v4/universal"),
        ("/api/encounters/v4/9/universal", "/api/encounters/v4/{encounter_id}/universal"),
        ("/api/events/v1/", "/api/events/v1"),
    ],
)
def test_a_literal_goes_before_a_placeholder(path: str, route: str) -> None:
    assert route_of(path) == route


@pytest.mark.parametrize(
    "path", ["", "/", "/jane/roe", "/api/encounters/v3", "/API/encounters/v4", "/patients/v1/a/b/c"]
)
def test_an_unknown_path_is_named_by_a_constant(path: str) -> None:
    assert route_of(path) == UNLISTED


@given(st.text() | st.lists(words | ids).map("/".join))
def test_the_name_of_any_path_comes_from_the_table(path: str) -> None:
    assert route_of(path) in {*ROUTES, UNLISTED}


@given(st.sampled_from(ROUTES), ids)
def test_an_id_in_any_template_never_shows(route: str, identifier: str) -> None:
    path = re.sub(r"{\w+}", lambda _: quote(identifier, safe=""), route)
    assert route_of(path).count("{") <= route.count("{")
    assert "~" not in route_of(path)
