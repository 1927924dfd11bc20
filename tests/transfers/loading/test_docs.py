"""What ``docs/data.md`` says can be typed."""

from __future__ import annotations

import json
import re

import pytest

from candid_provider.api.creations import CREATIONS
from candid_provider.transfers.candid_export_to_object_storage import CandidExportToObjectStorageOperator
from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator
from candid_provider.transfers.object_storage_to_candid import ObjectStorageToCandidOperator
from tests.conftest import REPOSITORY
from tests.transfers.loading.conftest import Desk

GUIDE = (REPOSITORY / "docs" / "data.md").read_text()
OPERATORS = {
    operator.__name__: operator
    for operator in (
        CandidToObjectStorageOperator,
        CandidExportToObjectStorageOperator,
        ObjectStorageToCandidOperator,
    )
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


def test_the_encounter_is_one_that_can_be_loaded(desk: Desk) -> None:
    (block,) = blocks("json")
    assert desk.load([json.loads(block)])["outcomes"] == {"created": 1}


def test_the_table_is_what_can_be_loaded() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `POST (\S+)` \| (.+) \|$", GUIDE, re.MULTILINE)
    known = [
        (creation.name, creation.path, ", ".join(f"`{name}`" for name in creation.key) or "none")
        for creation in CREATIONS.values()
    ]
    assert rows == known


@pytest.mark.parametrize("block", blocks("text"), ids=lambda block: block.partition("(")[0])
def test_the_operators_take_these_arguments(block: str) -> None:
    assert eval(block, dict(OPERATORS)).task_id
