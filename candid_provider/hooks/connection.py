"""From an Airflow connection to settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from candid_provider.api.settings import CandidSettings
from candid_provider.exceptions import CandidConfigError
from candid_provider.oauth.unreadable import UNREADABLE

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection


def settings_of(connection: Connection) -> CandidSettings:
    """Read an Airflow connection.

    :raises CandidConfigError: names the field and the fix.
    """
    try:
        extra = msgspec.json.decode(connection.extra or "{}")
    except UNREADABLE:
        extra = None
    if not isinstance(extra, dict):
        raise CandidConfigError('extra is not a JSON object. Give it as {"environment": "staging"}', field="extra")
    if connection.schema not in (None, "", "http", "https"):
        raise CandidConfigError("schema is neither http nor https. Leave it empty", field="schema")
    return CandidSettings.from_connection(
        login=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        scheme=connection.schema,
        extra=extra,
    )
