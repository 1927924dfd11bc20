"""The hook: a Candid connection, its shared token, and clients that use both."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import (
    AirflowException,
    BaseHook,
    mask_secret,
)

from candid_provider.api.call import Call, Page, asend, pages, send
from candid_provider.api.client import RETRY_DEADLINE, CandidAsyncClient, CandidClient, tls_context
from candid_provider.api.limit import RateLimit
from candid_provider.api.resources import call_of
from candid_provider.api.settings import CandidSettings
from candid_provider.exceptions import CandidError
from candid_provider.get_provider_info import CONNECTION_FIELDS, DEFAULT_CONN_ID, UI_FIELD_BEHAVIOUR
from candid_provider.hooks import sdk, sources
from candid_provider.hooks.connection import passing_over_silence, settings_of, silence
from candid_provider.oauth.rotation import RotatingSource
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.state import TokenState, read_state
from candid_provider.oauth.store import TokenStore
from candid_provider.policies.retry import failing_for_good as failing_for_good  # beside the hook it is used with
from candid_provider.token_stores.failure import TRIES
from candid_provider.token_stores.triggerer import lead_to_event_loop

if TYPE_CHECKING:
    from candid import AsyncCandidApiClient, CandidApiClient

TEST_DEADLINE = 5.0
"""Seconds the Test button may take for a token, and again for its one request."""


class CandidHook(BaseHook):
    """Call Candid Health from Airflow on one token for the whole deployment.

    :param candid_conn_id: id of a connection of type ``candid``.
    :param token_store: where the token is shared, in place of the connection's ``store``.
    :param rate_limit: what requests wait for, in place of the limit that all clients of this process share.
    :param retry_deadline: seconds within which a call is sent again, where that is safe.
    """

    conn_name_attr = "candid_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "candid"
    hook_name = "Candid Health"

    def __init__(
        self,
        candid_conn_id: str = default_conn_name,
        *,
        token_store: TokenStore | None = None,
        rate_limit: RateLimit | None = None,
        retry_deadline: float = RETRY_DEADLINE,
    ) -> None:
        super().__init__()
        self.candid_conn_id = candid_conn_id
        self._token_store = token_store
        self._sending: dict[str, Any] = {"limit": rate_limit, "retry_deadline": retry_deadline}
        self._own_sources: dict[str, TokenSource] = {}

    def get_conn(self) -> CandidClient:
        """Give this hook's client: an ``httpx.Client`` with the API's base URL and managed auth.

        It is made once and closed by :meth:`close`.

        :raises CandidConfigError: the connection is wrong; names the field and the fix.
        """
        return self._client

    async def get_async_conn(self) -> CandidAsyncClient:
        """Make an ``httpx.AsyncClient`` with managed auth; use it as an async context manager.

        :raises CandidConfigError: the connection is wrong; names the field and the fix.
        """
        settings = await self._aread_settings()
        await asyncio.to_thread(tls_context)
        return CandidAsyncClient(settings, self._tokens(settings), **self._sending)

    def async_client(self) -> CandidAsyncClient:
        """Make an ``httpx.AsyncClient`` like :meth:`get_async_conn`, from sync code, for an event loop of its own.

        The connection is read here, in the caller's thread, where Airflow expects it.

        :raises CandidConfigError: the connection is wrong; names the field and the fix.
        """
        return CandidAsyncClient(self._settings, self._managed, **self._sending)

    def get_token(self, refused: str | None = None) -> str:
        """Give the bearer, masked in Airflow's logs before it is returned.

        :param refused: one that Candid has just answered with 401; the answer is another one.
        :raises CandidAuthError: Candid refuses the credentials.
        """
        return self._managed.token(refused).value

    def send(self, call: Call) -> Any:
        """Send a call and give its parsed answer.

        :raises CandidError: the typed error of what went wrong.
        """
        return send(self._client, call)

    async def asend(self, call: Call) -> Any:
        """Send a call and give its parsed answer without holding the event loop."""
        async with await self.get_async_conn() as client:
            return await asend(client, call)

    def request(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None) -> Any:
        """Send one request and give its parsed answer.

        :param method: HTTP method.
        :param path: path relative to the environment, such as ``/api/payers/v4``.
        :param params: query.
        :param json: body.
        :raises CandidError: the typed error of what went wrong.
        """
        return self.send(Call(method=method, path=path, params=params or {}, json=json))

    def pages(
        self,
        resource_or_call: str | Call,
        *,
        params: Mapping[str, Any] | None = None,
        path_params: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> Iterator[Page]:
        """Follow a listing to its end, one page in memory at a time.

        :param resource_or_call: name of a resource (``candid resources`` lists them), or a call with a paging
            style.
        :param params: query, over the resource's defaults.
        :param path_params: values of the placeholders in the resource's path; a call has its own.
        :param json: body of a resource that is listed by POST; a call has its own.
        :raises CandidError: the typed error of what went wrong.
        """
        return pages(self._client, call_of(resource_or_call, params, path_params, json))

    def sdk(self) -> CandidApiClient:
        """Give the official SDK's client on this hook's connection and shared token (extra ``[sdk]``).

        It sends through :meth:`get_conn`: a token refused in mid-run is replaced, proxies and certificate
        settings hold for the token request too, and URLs stay out of the logs. Its errors are the SDK's own,
        and print bodies.

        :raises CandidConfigError: the SDK is not installed.
        """
        client: CandidApiClient = sdk.module().CandidApiClient(**sdk.options(self.get_conn()))
        return client

    @contextlib.asynccontextmanager
    async def async_sdk(self) -> AsyncIterator[AsyncCandidApiClient]:
        """Give the official SDK's async client for the length of an ``async with``; else as :meth:`sdk`."""
        module = await asyncio.to_thread(sdk.module)
        async with await self.get_async_conn() as http:
            yield module.AsyncCandidApiClient(**sdk.options(http))

    def test_connection(self) -> tuple[bool, str]:
        """Check the connection: list one payer on the shared token, or on one minted for the test.

        Such a token stays in memory, because Airflow tests a connection under a made-up id and outside a task
        (Candid: POST /api/auth/v2/token, GET /api/payers/v4).
        """
        try:
            settings = dataclasses.replace(self._settings, timeout=min(self._settings.timeout, TEST_DEADLINE))
            source = sources.detached(settings, TEST_DEADLINE)
            with CandidClient(settings, source, retry_deadline=0.0) as client:
                send(client, Call(method="GET", path="/api/payers/v4", params={"limit": 1}))
        except CandidError as error:
            return False, str(error)
        return True, f"Candid accepted the credentials and answered at {settings.candid_api}"

    def close(self) -> None:
        """Close the client, if one was made."""
        if client := self.__dict__.pop("_client", None):
            client.close()

    def __enter__(self) -> CandidHook:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Describe the standard fields of the connection form (Airflow up to 3.1; later ones read provider info)."""
        return {
            "hidden_fields": UI_FIELD_BEHAVIOUR["hidden-fields"],
            "relabeling": UI_FIELD_BEHAVIOUR["relabeling"],
            "placeholders": UI_FIELD_BEHAVIOUR["placeholders"],
        }

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Give the extra fields of the connection form (Airflow up to 3.1; later ones read provider info)."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from flask_babel import lazy_gettext
        from wtforms import StringField

        return {
            name: StringField(
                lazy_gettext(form["label"]),
                description=form["description"],
                default=form["schema"].get("default"),
                widget=BS3TextFieldWidget(),
            )
            for name, form in CONNECTION_FIELDS.items()
        }

    def token_state(self) -> TokenState:
        """Say what the store knows of the token, without asking Candid: see :class:`TokenState`.

        :raises StoreUnavailable: the store could not be read.
        """
        source = self._source(self._settings)
        return read_state(self._settings.credentials, source.store, time.time())

    def refresh_token(self) -> str:
        """Replace the shared token by a new one, for everybody, and give its hash.

        :raises CandidError: as :meth:`get_token`.
        """
        old = self.token_state().token
        return self._source(self._settings).token(refused=old.value if old else None).hash

    def forget_token(self) -> None:
        """Empty the store's registers; the next to need a token mints one.

        :raises StoreUnavailable: the store could not be written.
        """
        credentials = self._settings.credentials
        for register in (credentials.token_register, credentials.hold_register):
            self._source(self._settings).store.save(register, "")

    @cached_property
    def _settings(self) -> CandidSettings:
        return self._read_settings()

    @cached_property
    def _client(self) -> CandidClient:
        return CandidClient(self._settings, self._managed, **self._sending)

    @cached_property
    def _managed(self) -> RotatingSource:
        return self._tokens(self._settings)

    def _read_settings(self) -> CandidSettings:
        for _ in range(TRIES):
            with passing_over_silence():
                settings = settings_of(self.get_connection(self.candid_conn_id))
                mask_secret(settings.client_secret)
                return settings
        raise silence(self.candid_conn_id)

    async def _aread_settings(self) -> CandidSettings:
        for _ in range(TRIES):
            with passing_over_silence():
                settings = settings_of(await get_async_connection(self.candid_conn_id))
                # In a thread: masking asks the supervisor, which must not happen on the triggerer's event loop.
                await asyncio.to_thread(_mask, settings.client_secret)
                return settings
        raise silence(self.candid_conn_id)

    def _tokens(self, settings: CandidSettings) -> RotatingSource:
        def reread() -> TokenSource | None:
            with contextlib.suppress(CandidError, AirflowException):  # the refusal says more
                return self._source_at(settings, self._read_settings())
            return None

        async def areread() -> TokenSource | None:
            with contextlib.suppress(CandidError, AirflowException):
                return self._source_at(settings, await self._aread_settings())
            return None

        return RotatingSource(self._source(settings), reread, areread)

    def _source_at(self, place: CandidSettings, settings: CandidSettings) -> TokenSource | None:
        """Give the source for settings, if they lead to a client's own place: no other may see its requests."""
        same = (settings.candid_api, settings.pre_encounter) == (place.candid_api, place.pre_encounter)
        return self._source(settings) if same else None

    def _source(self, settings: CandidSettings) -> TokenSource:
        if self._token_store is None:
            return sources.shared(settings)
        key = settings.credentials.fingerprint
        if key not in self._own_sources:
            self._own_sources[key] = sources.source_of(settings, self._token_store)
        return self._own_sources[key]


def _mask(secret: str) -> None:
    lead_to_event_loop()
    mask_secret(secret)
