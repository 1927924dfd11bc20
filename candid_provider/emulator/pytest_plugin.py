"""The fixture `candid_emulator`, for tests of DAGs: an emulator, and a connection to it, for the length of a test.

pytest finds it by itself where this package is installed (entry point `pytest11`). It imports nothing of the
emulator, and nothing of Airflow, before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from candid_provider.emulator import Emulator

_MARKER = "candid_emulator"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{_MARKER}(**settings): settings of the emulator of `candid_emulator`")


@pytest.fixture
def candid_emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator of the Candid API with 100 encounters, which the Airflow connection `candid_default` leads to.

    `@pytest.mark.candid_emulator(encounters=1000, seed=7)` gives it other settings: those of `EmulatorConfig`, and
    `conn_id` for another connection. It stands still in time until `candid_emulator.advance(seconds)`.
    """
    from candid_provider.emulator import EmulatorConfig, running

    marker = request.node.get_closest_marker(_MARKER)
    if marker is not None and marker.args:
        raise pytest.UsageError(f"the marker {_MARKER} takes settings by name, as in {_MARKER}(encounters=1000)")
    settings = {"encounters": 100, "patients": 40, "conn_id": "candid_default"} | (marker.kwargs if marker else {})
    conn_id = settings.pop("conn_id")
    with running(EmulatorConfig(**settings)) as emulator:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", emulator.connection)
        yield emulator
