"""Where Candid is and who we are there, read from a connection's fields and checked before anything is sent."""

from __future__ import annotations

import enum
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import httpx

from candid_provider.exceptions import CandidConfigError
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.signature import CANDID_PEM

TOKEN_PATH = "/api/auth/v2/token"
DEFAULT_TIMEOUT = 60.0


class CandidEnvironment(enum.StrEnum):
    """Name one of Candid's deployments, as the official SDK does; credentials are never interchangeable.

    What Candid's documentation calls "Sandbox" is ``staging`` here.
    """

    PRODUCTION = "production"
    STAGING = "staging"
    CANDID_SANDBOX = "candid_sandbox"
    CANDID_STAGING = "candid_staging"
    LOCAL = "local"

    @property
    def urls(self) -> tuple[str, str]:
        """The API's and the pre-encounter API's base URLs (candidhealth 1.37.0, ``environment.py``)."""
        return _URLS[self]


_URLS = {
    CandidEnvironment.PRODUCTION: (
        "https://api.joincandidhealth.com",
        "https://pre-api.joincandidhealth.com",
    ),
    CandidEnvironment.STAGING: (
        "https://api-staging.joincandidhealth.com",
        "https://pre-api-staging.joincandidhealth.com",
    ),
    CandidEnvironment.CANDID_SANDBOX: (
        "https://sandbox-api.joincandidhealth.com",
        "https://sandbox-pre-api.joincandidhealth.com",
    ),
    CandidEnvironment.CANDID_STAGING: (
        "https://staging-api.joincandidhealth.com",
        "https://staging-pre-api.joincandidhealth.com",
    ),
    CandidEnvironment.LOCAL: ("http://localhost:5050", "http://localhost:4000"),
}

EXTRAS = ("environment", "store", "timeout", "pre_encounter_url", "auth_url", "verify_jwt")
STORES = ("variable", "xcom", "file", "memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidSettings:
    """Hold everything a client needs to know, validated.

    :param client_id: Candid's client id.
    :param client_secret: its secret; never shown.
    :param candid_api: base URL of the API, without a trailing slash.
    :param pre_encounter: base URL of the pre-encounter API.
    :param auth_url: URL of the token endpoint.
    :param store: name of the store that shares the token, or the dotted path of a class.
    :param timeout: seconds for connecting, sending, and each wait for data.
    :param verify_jwt: where the key is that tokens have to be signed with, a URL or a file; None: not checked.
    """

    client_id: str
    client_secret: str = field(repr=False)
    candid_api: str
    pre_encounter: str
    auth_url: str
    store: str = "variable"
    timeout: float = DEFAULT_TIMEOUT
    verify_jwt: str | None = None

    @property
    def credentials(self) -> ClientCredentials:
        """The credentials that ask for tokens."""
        return ClientCredentials(self.client_id, self.client_secret, self.auth_url)

    def __reduce__(self) -> NoReturn:
        raise TypeError("settings are not pickled: pass the connection id and read the connection there")

    @classmethod
    def from_connection(
        cls,
        *,
        login: str | None,
        password: str | None,
        host: str | None,
        extra: Mapping[str, Any],
        port: int | None = None,
        scheme: str | None = None,
    ) -> CandidSettings:
        """Read settings from the fields of an Airflow connection.

        :param login: Client ID.
        :param password: Client Secret.
        :param host: base URL of the API, in place of the environment's; ``https://`` is assumed.
        :param extra: ``environment`` (required unless ``host`` is set), ``pre_encounter_url``, ``auth_url``,
            ``store``, ``timeout``, ``verify_jwt``; None and empty texts, which Airflow's form saves, count as
            absent.
        :param port: added to ``host``, for the URI form of a connection.
        :param scheme: ``http`` or ``https`` for a ``host`` that has none, for the URI form.
        :raises CandidConfigError: names the field and the fix.
        """
        given = {name: value for name, value in extra.items() if value not in (None, "")}
        if unknown := sorted(set(given) - set(EXTRAS)):
            raise CandidConfigError(
                f"extra {unknown[0]!r} is not known. Known extras: {', '.join(EXTRAS)}", field=unknown[0]
            )
        api, pre_encounter = _hosts(host, port, scheme, given)
        return cls(
            client_id=_required("login", login, "Client ID"),
            client_secret=_required("password", password, "Client Secret"),
            candid_api=api,
            pre_encounter=pre_encounter,
            auth_url=_base_url("auth_url", given["auth_url"]) if "auth_url" in given else api + TOKEN_PATH,
            store=_store(given.get("store", "variable")),
            timeout=_seconds("timeout", given.get("timeout", DEFAULT_TIMEOUT)),
            verify_jwt=_key_source(given.get("verify_jwt", False)),
        )


def _hosts(host: str | None, port: int | None, scheme: str | None, given: Mapping[str, Any]) -> tuple[str, str]:
    if host:
        api = _base_url("host", host if "://" in host else f"{scheme or 'https'}://{_bracketed(host)}")
        api = pre_encounter = _base_url("host", httpx.URL(api).copy_with(port=port)) if port else api
        if "environment" in given:
            _choice("environment", given["environment"], tuple(CandidEnvironment))
    elif "environment" in given:
        name = _choice("environment", given["environment"], tuple(CandidEnvironment))
        api, pre_encounter = CandidEnvironment(name).urls
    else:
        raise CandidConfigError(
            "environment is not set. Set the extra 'environment' to one of: "
            f"{', '.join(CandidEnvironment)}; or set host to the API's base URL",
            field="environment",
        )
    if "pre_encounter_url" in given:
        pre_encounter = _base_url("pre_encounter_url", given["pre_encounter_url"])
    return api, pre_encounter


def _required(name: str, value: str | None, label: str) -> str:
    if not value or not value.strip():
        raise CandidConfigError(f"{name} is empty. Set it to Candid's {label}", field=name)
    return value.strip()


def _choice(name: str, value: object, known: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in known:
        raise CandidConfigError(f"{name} has an unknown value. Use one of: {', '.join(known)}", field=name)
    return value


def _store(value: object) -> str:
    """Read ``store``: one of ours, or the dotted path of a class of one's own."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", value):
        return value
    return _choice("store", value, STORES)


def _seconds(name: str, value: object) -> float:
    try:
        seconds = float(value) if isinstance(value, str | int | float) else 0.0
    except (ValueError, OverflowError):
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise CandidConfigError(f"{name} is not a number of seconds between 0 and 3600", field=name)
    return seconds


def _key_source(value: object) -> str | None:
    """Read ``verify_jwt``: yes or no, or where the key is."""
    text = str(value).strip()
    if text.lower() in ("false", "true"):
        return CANDID_PEM if text.lower() == "true" else None
    return text if os.path.isabs(text) else _base_url("verify_jwt", text)


def _base_url(name: str, value: object) -> str:
    try:
        url = httpx.URL(str(value).rstrip("/"))
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or "%" in url.host or (url.port or 0) > 65_535:
        raise CandidConfigError(f"{name} is not a URL. Give it as https://host", field=name)
    if url.userinfo or "?" in str(value) or "#" in str(value):
        raise CandidConfigError(
            f"{name} holds more than scheme, host, port and path. Give it as https://host", field=name
        )
    # httpx resolves dots but not quoted ones.
    if ".." in str(value).split("/") or ".." in url.path.split("/"):
        raise CandidConfigError(f"{name} has '..' in its path. Give it as https://host", field=name)
    if url.scheme == "http" and not is_loopback(url.host):
        raise CandidConfigError(
            f"{name} is http:// on a host that is not this machine. Use https://, or a loopback address",
            field=name,
        )
    return str(url)


def _bracketed(host: str) -> str:
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, where http:// can be overheard by nobody."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
