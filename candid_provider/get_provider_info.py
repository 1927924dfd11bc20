"""What Airflow discovers of this package; imports nothing, because Airflow reads it on every start."""

from __future__ import annotations

from typing import Any

DEFAULT_CONN_ID = "candid_default"

UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema", "port"],
    "relabeling": {"login": "Client ID", "password": "Client Secret", "host": "API base URL (optional)"},
    "placeholders": {
        "login": "client id from Candid",
        "password": "client secret from Candid",
        "host": "empty: the environment's; http://127.0.0.1:5050 for the emulator",
    },
}

CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "environment": {
        "label": "Environment",
        "description": "Which Candid the credentials belong to. Required unless the API base URL is set;"
        " Candid's documentation calls 'staging' Sandbox. One of: production, staging, candid_sandbox,"
        " candid_staging, local",
        "schema": {
            "type": ["string", "null"],
            "enum": ["production", "staging", "candid_sandbox", "candid_staging", "local"],
        },
    },
    "store": {
        "label": "Token store",
        "description": "Where tasks share the token: variable (the metadata database), xcom (one DAG run), file"
        " (one host), memory (not shared), or the dotted path of a class of your own. Empty: variable",
        "schema": {"type": ["string", "null"]},
    },
    "timeout": {
        "label": "Timeout",
        "description": "Seconds for connecting and for each wait for data. Empty: 60",
        "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 3600},
    },
    "pre_encounter_url": {
        "label": "Pre-encounter base URL",
        "description": "Only where it differs from the environment's, or from the API base URL",
        "schema": {"type": ["string", "null"]},
    },
    "auth_url": {
        "label": "Token endpoint URL",
        "description": "Only where it is not /api/auth/v2/token of the API",
        "schema": {"type": ["string", "null"]},
    },
    "verify_jwt": {
        "label": "Verify token signature",
        "description": "Empty or false: no. true: with the key Candid publishes. A path: with the key in that"
        " PEM file",
        "schema": {"type": ["string", "null"]},
    },
}


INTEGRATION = "Candid Health"
MODULES = {
    "hooks": ("hooks.candid",),
    "operators": ("operators.candid", "operators.checks", "operators.eligibility"),
    "sensors": ("sensors.candid",),
    "triggers": ("triggers.candid", "triggers.events"),
}
TRANSFERS = (
    (INTEGRATION, "Object Storage", "candid_to_object_storage"),
    (INTEGRATION, "Object Storage", "candid_export_to_object_storage"),
    ("Object Storage", INTEGRATION, "object_storage_to_candid"),
)
ASSET_URIS: dict[str, Any] = {
    "schemes": ["candid"],
    "handler": "candid_provider.assets.candid.sanitize_uri",
    "factory": "candid_provider.assets.candid.create_asset",
    "to_openlineage_converter": "candid_provider.assets.candid.convert_asset_to_openlineage",
}


def get_provider_info() -> dict[str, Any]:
    """Describe the provider to Airflow (entry point ``apache_airflow_provider``)."""
    return {
        "package-name": "airflow-provider-candid",
        "name": "Candid Health",
        "description": "Medical-billing work on Candid Health, on one shared access token.",
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://docs.joincandidhealth.com",
                "tags": ["service"],
            }
        ],
        **{kind: [_modules(names)] for kind, names in MODULES.items()},
        "transfers": [
            {
                "source-integration-name": source,
                "target-integration-name": target,
                "python-module": f"candid_provider.transfers.{name}",
            }
            for source, target, name in TRANSFERS
        ],
        "asset-uris": [ASSET_URIS],
        "dataset-uris": [ASSET_URIS],  # Airflow 2.11
        "cli": ["candid_provider.cli.airflow.get_commands"],  # Airflow 3.2 and later
        "connection-types": [
            {
                "connection-type": "candid",
                "hook-class-name": "candid_provider.hooks.candid.CandidHook",
                "hook-name": "Candid Health",
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
                "conn-fields": CONNECTION_FIELDS,
            }
        ],
    }


def _modules(names: tuple[str, ...]) -> dict[str, Any]:
    return {"integration-name": INTEGRATION, "python-modules": [f"candid_provider.{name}" for name in names]}
