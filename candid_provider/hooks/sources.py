"""Token sources for connections: which store, which masker, one a process for equal credentials."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Mapping

from airflow.providers.common.compat.sdk import Stats, mask_secret

from candid_provider.api.settings import CandidSettings
from candid_provider.exceptions import CandidConfigError
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.hold import read_hold
from candid_provider.oauth.signature import SignatureCheck
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import FileTokenStore, MemoryTokenStore, StoreUnavailable, TokenStore, guarded
from candid_provider.token_stores.variable import VariableTokenStore
from candid_provider.token_stores.xcom import XComTokenStore

STORES: Mapping[str, Callable[[], TokenStore]] = {
    "variable": VariableTokenStore,
    "xcom": XComTokenStore,
    "file": FileTokenStore,
    "memory": MemoryTokenStore,
}
# One token source a process and credentials, so that all hooks of a process share one token in memory.
_sources: dict[tuple[str, str, str | None], TokenSource] = {}


def shared(settings: CandidSettings) -> TokenSource:
    """Give the source that all hooks of this process share for these credentials.

    :raises CandidConfigError: the connection's ``store`` cannot be used.
    """
    key = (settings.credentials.fingerprint, settings.store, settings.verify_jwt)
    if key not in _sources:
        # Of two threads that come here at once, both take the one that is there first.
        _sources.setdefault(key, source_of(settings, store_named(settings.store)))
    return _sources[key]


def detached(settings: CandidSettings, deadline: float) -> TokenSource:
    """Make a source that begins with what is shared and shares nothing itself.

    :param deadline: seconds one answer may take.
    :raises CandidConfigError: the connection's ``store`` cannot be used.
    """
    return TokenSource(
        settings.credentials,
        _copied(store_named(settings.store), settings.credentials),
        on_token=mask_secret,
        deadline=deadline,
        verify=_verification(settings),
    )


def store_named(name: str) -> TokenStore:
    """Make the store that a connection names, by a word of ``STORES`` or a dotted path.

    :raises CandidConfigError: it cannot be imported, or is no store.
    """
    if name in STORES:
        return STORES[name]()
    module, _, attribute = name.rpartition(".")
    try:
        store = getattr(importlib.import_module(module), attribute)()
    except Exception as error:
        problem = type(error).__name__
    else:
        if isinstance(store, TokenStore):
            return store
        problem = "it has no settle, load and save"
    raise CandidConfigError(
        f"store cannot be used ({problem}). Name a class that takes no arguments"
        " and has settle, load and save (candid_provider.oauth.store.TokenStore)",
        field="store",
    )


def source_of(settings: CandidSettings, store: TokenStore) -> TokenSource:
    """Make a source that masks its tokens in Airflow's logs and counts its decisions in Airflow's metrics."""
    return TokenSource(
        settings.credentials,
        store,
        verify=_verification(settings),
        on_token=mask_secret,
        on_decision=lambda decision: Stats.incr(f"candid.token.{decision}"),
    )


def _copied(store: TokenStore, credentials: ClientCredentials) -> MemoryTokenStore:
    """Copy the shared token into memory, and a pause that everybody keeps, if the store can be read from here."""
    copy = MemoryTokenStore()
    with contextlib.suppress(StoreUnavailable):
        copy.save(credentials.token_register, guarded(lambda: store.load(credentials.token_register)) or "")
        hold = guarded(lambda: store.load(credentials.hold_register))
        if hold and (known := read_hold(hold)) and known.reason == "throttled":
            copy.save(credentials.hold_register, hold)
    return copy


def _verification(settings: CandidSettings) -> SignatureCheck | None:
    return SignatureCheck(settings.verify_jwt) if settings.verify_jwt else None
