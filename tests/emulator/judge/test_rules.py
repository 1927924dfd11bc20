"""The judge's own rules find what they are for."""

from __future__ import annotations

from typing import Any

import pytest

from .rules import examples, identifying, lacking, sample_of, unmarked

ENCOUNTERS, TASK, PATIENT = "encounters.v_4.get_all", "tasks.v_3.get", "pre_encounter.patients.v_1.get"


@pytest.mark.parametrize("name", [ENCOUNTERS, TASK, PATIENT, "pre_encounter.patients.v_1.scan"])
def test_an_example_of_the_catalogue_is_whole_and_known_as_an_example(name: str) -> None:
    sample = sample_of(name)
    assert lacking(sample, sample) == []
    assert examples(sample, sample)
    assert unmarked(name, sample)


def test_a_missing_key_is_told_at_any_depth() -> None:
    answer: Any = sample_of(ENCOUNTERS)
    del answer["items"][0]["claims"][0]["eras"][0]["check_number"], answer["prev_page_token"]
    assert lacking(sample_of(ENCOUNTERS), answer) == [
        "/prev_page_token is missing",
        "/items/claims/eras/check_number is missing",
    ]


def test_an_optional_field_must_be_there_but_may_be_null() -> None:
    answer: Any = sample_of(TASK)
    assert answer["payer_name"] is None
    del answer["payer_name"]
    assert lacking(sample_of(TASK), answer) == ["/payer_name is missing"]


def test_another_type_is_told() -> None:
    answer: Any = sample_of(TASK) | {"notes": {}, "status": 7}
    assert lacking(sample_of(TASK), answer) == ["/status is int, not str", "/notes is dict, not list"]


def test_one_of_several_shapes_may_be_another_than_the_examples() -> None:
    assert lacking({"type": "states", "states": []}, {"type": "national"}) == []
    assert lacking({"type": "states", "states": []}, {"type": "states"}) == ["/states is missing"]


def test_what_identifies_a_patient_is_known_by_its_place() -> None:
    names = {"first_name": "A", "last_name": "B"}
    assert len(identifying(ENCOUNTERS, {"patient": names, "subscriber_primary": names})) == 4
    assert identifying(ENCOUNTERS, {"rendering_provider": names}) == []
    assert len(identifying(PATIENT, {"name": {"family": "A", "given": ["B", "C"]}, "mrn": "1"})) == 4
    assert identifying(PATIENT, {"general_practitioners": [{"name": {"family": "A"}}]}) == []
    assert unmarked(TASK, {"patient_name": "Adaqvexzo Ash"}) == []
