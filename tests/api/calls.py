"""Calls and answers that hold what must not be told."""

from __future__ import annotations

import pickle
from typing import Any

from candid_provider.api.call import Call
from candid_provider.exceptions import (
    CandidError,
)
from tests.api.conftest import Sender
from tests.oauth.scripted import Answer, answer, everything_in

INSTANCE = "00000000-0000-4000-8000-000000000001"
MARKER = "JaneRoe1970"
ROUTE = "GET /api/encounters/v4/{encounter_id}"
READ = Call(
    method="GET",
    path="/api/encounters/v4/{encounter_id}",
    path_params={"encounter_id": MARKER},
    params={"search_term": MARKER},
)
WRITE = Call(method="POST", path="/api/encounters/v4", json={"name": MARKER})
SOON = {"Retry-After": "0"}
GOOD = answer({"fine": True})


def named(status: int, name: str, content: Any, **headers: str) -> Answer:
    return answer({"errorName": name, "errorInstanceId": INSTANCE, "content": content}, status, **headers)


def fails(sender: Sender, call: Call = READ) -> CandidError:
    """The error, which holds neither id, query nor body and survives pickling."""
    error = sender.fails(call)
    assert MARKER not in everything_in(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.args, vars(again)) == (type(error), str(error), error.args, vars(error))
    return error
