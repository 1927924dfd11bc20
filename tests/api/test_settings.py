"""Settings: what a connection may say, and errors that name the field and the fix but never the value."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from candid.environment import CandidApiClientEnvironment

from candid_provider.api.settings import EXTRAS, CandidEnvironment, CandidSettings
from candid_provider.exceptions import CandidConfigError
from tests.oauth.scripted import everything_in

HOST = "https://candid.example"


def settings(**changed: Any) -> CandidSettings:
    fields = {"login": "my-client", "password": "my-secret", "host": None, "extra": {"environment": "staging"}}
    return CandidSettings.from_connection(**(fields | changed))


def wrong(**changed: Any) -> CandidConfigError:
    """The error, which shows neither the secret nor any of the changed values."""
    with pytest.raises(CandidConfigError) as caught:
        settings(**changed)
    error = caught.value
    shown = everything_in(error)
    assert "my-secret" not in shown
    assert "httpx" not in shown
    assert error.field
    assert error.field in str(error)
    return error


# --- where Candid is


@pytest.mark.parametrize("environment", CandidEnvironment)
def test_environments_are_those_of_the_official_sdk(environment: CandidEnvironment) -> None:
    official = getattr(CandidApiClientEnvironment, environment.name)
    chosen = settings(extra={"environment": environment.value})
    assert environment.urls == (official.candid_api, official.pre_encounter)
    assert (chosen.candid_api, chosen.pre_encounter) == environment.urls


def test_the_official_sdk_has_no_other_environment() -> None:
    official = {name for name in dir(CandidApiClientEnvironment) if name.isupper()}
    assert official == {environment.name for environment in CandidEnvironment}


def test_tokens_come_from_the_environments_own_api() -> None:
    assert settings().auth_url == "https://api-staging.joincandidhealth.com/api/auth/v2/token"


def test_a_host_stands_for_both_apis() -> None:
    chosen = settings(host=HOST, extra={})
    assert (chosen.candid_api, chosen.pre_encounter) == (HOST, HOST)
    assert chosen.auth_url == f"{HOST}/api/auth/v2/token"


@pytest.mark.parametrize("host", ["candid.example", f"{HOST}/", "HTTPS://Candid.Example", f"{HOST}:443"])
def test_spellings_of_a_host_are_made_one(host: str) -> None:
    assert settings(host=host).candid_api == HOST


def test_a_path_in_the_host_is_kept() -> None:
    assert settings(host=f"{HOST}/proxy/").auth_url == f"{HOST}/proxy/api/auth/v2/token"


def test_each_url_can_be_given_apart() -> None:
    extra = {"pre_encounter_url": "https://pre.example/", "auth_url": "https://auth.example/token"}
    chosen = settings(host=HOST, extra=extra)
    assert (chosen.pre_encounter, chosen.auth_url) == ("https://pre.example", "https://auth.example/token")


@pytest.mark.parametrize(
    ("host", "scheme", "port", "url"),
    [
        ("127.0.0.1", "http", 5050, "http://127.0.0.1:5050"),
        ("candid.example", "https", 8443, "https://candid.example:8443"),
        ("candid.example", None, 8443, "https://candid.example:8443"),
        ("candid.example", None, None, "https://candid.example"),
        ("http://localhost", None, 5050, "http://localhost:5050"),
        ("http://localhost", "https", 5050, "http://localhost:5050"),
        ("[::1]", "http", 5050, "http://[::1]:5050"),
        ("::1", "http", 5050, "http://[::1]:5050"),
        ("https://candid.example/proxy", None, 8443, "https://candid.example:8443/proxy"),
    ],
)
def test_the_uri_form_brings_host_port_and_scheme(host: str, scheme: str | None, port: int | None, url: str) -> None:
    assert settings(host=host, scheme=scheme, port=port, extra={}).candid_api == url


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "emulator.localhost"])
def test_loopback_may_be_http(host: str) -> None:
    assert settings(host=f"http://{host}:1").candid_api == f"http://{host}:1"


# --- the rest


@pytest.mark.parametrize("nothing", [None, ""])
def test_null_and_empty_extras_count_as_absent(nothing: str | None) -> None:
    extra = dict.fromkeys((*EXTRAS, "whatever"), nothing) | {"environment": "staging"}
    assert settings(extra=extra) == settings()


def test_defaults() -> None:
    assert (settings().store, settings().timeout) == ("variable", 60.0)


@pytest.mark.parametrize("timeout", [5, 5.0, "5", "5.0", " 5 "])
def test_a_timeout_may_be_a_number_or_a_text(timeout: Any) -> None:
    assert settings(extra={"environment": "staging", "timeout": timeout}).timeout == 5.0


def test_blanks_around_the_credentials_are_cut_off() -> None:
    credentials = settings(login=" my-client\n", password="\tmy-secret ").credentials
    assert (credentials.client_id, credentials.client_secret) == ("my-client", "my-secret")


def test_no_printout_shows_the_secret() -> None:
    assert "my-secret" not in f"{settings()} {settings()!r} {settings().credentials!r}"


def test_settings_of_equal_connections_are_equal() -> None:
    assert settings() == settings()
    assert settings().credentials.fingerprint == settings().credentials.fingerprint


def test_environments_never_share_credentials() -> None:
    prints = {settings(extra={"environment": name}).credentials.fingerprint for name in CandidEnvironment}
    assert len(prints) == len(CandidEnvironment)


# --- what is refused


@pytest.mark.parametrize("extra", [{}, {"environment": None}, {"environment": ""}])
def test_nobody_reaches_production_by_default(extra: dict[str, Any]) -> None:
    error = wrong(extra=extra)
    assert error.field == "environment"
    assert all(name in str(error) for name in CandidEnvironment)


@pytest.mark.parametrize("value", ["live-data", "Production", " staging", 1, ["staging"], True])
@pytest.mark.parametrize("host", [None, HOST])
def test_an_unknown_environment(value: Any, host: str | None) -> None:
    error = wrong(host=host, extra={"environment": value})
    assert error.field == "environment"
    assert "candid_sandbox" in str(error)
    assert "live-data" not in str(error)


def test_an_unknown_extra_is_named_with_the_known_ones() -> None:
    error = wrong(extra={"environment": "staging", "enviroment": "typed-wrong"})
    assert error.field == "enviroment"
    assert all(name in str(error) for name in EXTRAS)
    assert "typed-wrong" not in str(error)


@pytest.mark.parametrize("value", ["redis-of-mine", "Variable", 1, {}])
def test_an_unknown_store(value: Any) -> None:
    error = wrong(extra={"environment": "staging", "store": value})
    assert error.field == "store"
    assert "variable" in str(error)
    assert "redis-of-mine" not in str(error)


@pytest.mark.parametrize(
    "value", ["a-minute", 0, -1, "0", "nan", "inf", float("nan"), 3601, 10**400, "1e400", [], {}]
)
def test_a_timeout_that_is_no_number_of_seconds(value: Any) -> None:
    error = wrong(extra={"environment": "staging", "timeout": value})
    assert error.field == "timeout"
    assert "a-minute" not in str(error)


@pytest.mark.parametrize("nothing", [None, "", "  "])
@pytest.mark.parametrize(("field", "label"), [("login", "Client ID"), ("password", "Client Secret")])
def test_empty_credentials_are_named_as_candid_calls_them(field: str, label: str, nothing: str | None) -> None:
    error = wrong(**{field: nothing})
    assert error.field == field
    assert label in str(error)


URLS = {
    "http on another machine": "http://marked.example",
    "http on every address": "http://0.0.0.0:1/marked",
    "http on what looks like loopback": "http://localhost.marked.example",
    "dots": f"{HOST}/marked/../x",
    "quoted dots": f"{HOST}/%2e%2e/marked",
    "user": "https://marked@candid.example",
    "user and password": "https://me:marked@candid.example",
    "loopback as user": "http://127.0.0.1@marked.example",
    "query": f"{HOST}?marked=1",
    "empty query": f"{HOST}/marked?",
    "fragment": f"{HOST}#marked",
    "another scheme": "ftp://marked.example",
    "no host": "https:///marked",
    "no port": "https://candid.example:marked",
    "a port beyond all ports": "https://marked.example:99999",
    "a blank": "https://marked .example",
    "a line break": f"{HOST}/marked\n",
    "a control character": f"{HOST}/marked\x7f",
}


@pytest.mark.parametrize("url", URLS.values(), ids=URLS.keys())
@pytest.mark.parametrize("field", ["host", "pre_encounter_url", "auth_url"])
def test_urls_that_are_refused(field: str, url: str) -> None:
    extra = {"environment": "staging"}
    error = wrong(host=url) if field == "host" else wrong(extra=extra | {field: url})
    assert error.field == field
    assert "https://" in str(error)
    assert "marked" not in everything_in(error)


@pytest.mark.parametrize("value", [1, True, ["https://x"], {"a": "b"}])
def test_a_url_of_another_type_is_refused(value: Any) -> None:
    assert wrong(extra={"environment": "staging", "auth_url": value}).field == "auth_url"


def test_an_error_survives_pickling() -> None:
    error = wrong(extra={})
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.field, type(again)) == (str(error), error.field, CandidConfigError)
    assert isinstance(again, ValueError)
