"""The official SDK (``candidhealth``, extra ``[sdk]``) on a client of ours."""

from __future__ import annotations

import importlib
from typing import Any

from candid_provider.api.client import CandidAsyncClient, CandidClient
from candid_provider.exceptions import CandidConfigError


def module() -> Any:
    """Import the SDK, which takes most of a second, and which not everybody has.

    :raises CandidConfigError: it is not installed.
    """
    try:
        return importlib.import_module("candid")
    except ModuleNotFoundError:
        pass
    raise CandidConfigError("the official SDK is not installed. pip install 'airflow-provider-candid[sdk]'")


def options(http: CandidClient | CandidAsyncClient) -> dict[str, Any]:
    """Say what makes an SDK client send through a client of ours."""
    from candid.environment import CandidApiClientEnvironment

    settings = http.settings
    return {
        "environment": CandidApiClientEnvironment(
            candid_api=settings.candid_api, pre_encounter=settings.pre_encounter
        ),
        # Any text will do: the auth of our client puts the shared token in its place.
        "token": lambda: "managed",
        "timeout": settings.timeout,
        "httpx_client": http,
    }
