"""What Airflow says of a connection while its API server does not answer; a real one stops in tests/cluster."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from candid_provider.hooks.candid import CandidHook
from candid_provider.hooks.connection import passing_over_silence


def test_a_connection_that_does_not_exist_is_reported_at_once() -> None:
    with pytest.raises(AirflowNotFoundException, match="nowhere"):
        CandidHook("nowhere").get_conn()


def test_not_defined_counts_only_if_it_came_in_time() -> None:
    with passing_over_silence(patience=0.0):
        CandidHook("nowhere").get_connection("nowhere")
    with pytest.raises(AirflowNotFoundException), passing_over_silence(patience=60.0):
        CandidHook("nowhere").get_connection("nowhere")
