from __future__ import annotations

import json
from importlib.resources import files

import pytest

from .sdk_models import facts

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_the_facts_about_bodies_are_those_of_the_sdks_models() -> None:
    """After a new SDK: `python -m tests.emulator.sdk_models > candid_provider/emulator/facts/models.json`."""
    known = json.loads((files("candid_provider.emulator") / "facts" / "models.json").read_bytes())
    assert known == facts()
