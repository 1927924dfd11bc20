"""What Airflow discovers of the package."""

from __future__ import annotations

import importlib
import json
from importlib.metadata import entry_points
from pathlib import Path

import airflow
import jsonschema
import pytest
import yaml

from candid_provider.api.settings import EXTRAS, STORES, CandidEnvironment
from candid_provider.get_provider_info import CONNECTION_FIELDS, get_provider_info
from candid_provider.hooks.candid import CandidHook
from candid_provider.hooks.sources import STORES as STORE_CLASSES
from tests.conftest import REPOSITORY

INFO = get_provider_info()
KINDS = ("hooks", "operators", "sensors", "triggers")


def test_airflow_finds_the_provider_by_its_entry_point() -> None:
    (found,) = entry_points(group="apache_airflow_provider", name="provider_info").select(
        module="candid_provider.get_provider_info"
    )
    assert found.load()() == INFO
    assert found.dist
    assert found.dist.name == INFO["package-name"]


def test_the_description_fits_airflows_schema() -> None:
    schema = Path(airflow.__file__).parent / "provider_info.schema.json"
    jsonschema.validate(INFO, json.loads(schema.read_text()))


def test_every_module_it_names_can_be_imported() -> None:
    modules = [name for kind in KINDS for entry in INFO[kind] for name in entry["python-modules"]]
    for name in [*modules, *(entry["python-module"] for entry in INFO["transfers"])]:
        importlib.import_module(name)
    module, _, name = INFO["connection-types"][0]["hook-class-name"].rpartition(".")
    assert getattr(importlib.import_module(module), name) is CandidHook


def test_the_registry_file_names_the_same_modules() -> None:
    registry = yaml.safe_load((REPOSITORY / ".airflow-registry.yaml").read_text())
    named = {entry["module"] for kind in ("operators", "hooks", "sensors", "other") for entry in registry[kind]}
    described = {name for kind in KINDS for entry in INFO[kind] for name in entry["python-modules"]}
    assert named == described | {entry["python-module"] for entry in INFO["transfers"]}


def test_the_form_has_every_extra_and_offers_what_the_settings_take() -> None:
    assert set(CONNECTION_FIELDS) == set(EXTRAS)
    assert CONNECTION_FIELDS["environment"]["schema"]["enum"] == list(CandidEnvironment)
    assert list(STORES) == list(STORE_CLASSES)
    assert all(store in CONNECTION_FIELDS["store"]["description"] for store in STORES)


@pytest.mark.parametrize("name", EXTRAS)
def test_no_extra_has_a_name_that_airflow_masks(name: str) -> None:
    from airflow.sdk._shared.secrets_masker import should_hide_value_for_key  # noqa: TID251 - the judge itself

    hidden: bool = should_hide_value_for_key(name)  # type: ignore[no-untyped-call]
    assert not hidden


def test_older_airflows_get_the_same_form_from_the_hook() -> None:
    behaviour = CandidHook.get_ui_field_behaviour()
    declared = INFO["connection-types"][0]["ui-field-behaviour"]
    assert behaviour["relabeling"] == declared["relabeling"]
    assert behaviour["hidden_fields"] == declared["hidden-fields"]
