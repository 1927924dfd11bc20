"""The connection form and the Test button, as a browser would use them."""

from __future__ import annotations

from typing import Any

import pytest

from candid_provider.get_provider_info import CONNECTION_FIELDS
from tests.airflow.conftest import Deployment

pytestmark = pytest.mark.airflow


def form(deployment: Deployment) -> dict[str, Any]:
    answer = deployment.airflow.get("/ui/connections/hook_meta")
    (found,) = (hook for hook in answer.json() if hook["connection_type"] == "candid")
    return dict(found)


def test_the_form_has_our_fields(deployment: Deployment) -> None:
    found = form(deployment)
    assert found["hook_name"] == "Candid Health"
    assert set(found["extra_fields"]) == set(CONNECTION_FIELDS)
    assert found["standard_fields"]["login"]["title"] == "Client ID"
    assert found["standard_fields"]["password"]["title"] == "Client Secret"


@pytest.mark.parametrize(("secret", "accepted"), [("emulator-secret", True), ("wrong-in-the-form", False)])
def test_the_test_button_tells_a_good_secret_from_a_wrong_one(
    deployment: Deployment, secret: str, accepted: bool
) -> None:
    body = {
        "connection_id": "candid_form",
        "conn_type": "candid",
        "login": "emulator",
        "password": secret,
        "host": deployment.emulator.url,
        "extra": '{"environment": null, "store": null, "timeout": null}',
    }
    answer = deployment.airflow.post("/api/v2/connections/test", body).json()
    assert answer["status"] is accepted, answer
    assert secret not in answer["message"]
