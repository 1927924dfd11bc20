from __future__ import annotations

from tests.transfers.loading.conftest import desk  # noqa: F401 - a fixture
