"""What all operators have: a connection, by its id."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperator

if TYPE_CHECKING:
    from candid_provider.hooks.candid import CandidHook


class Connected(BaseOperator):
    """Call Candid Health on a connection of type ``candid``."""

    ui_color = "#e8f1ee"
    candid_conn_id: str

    @cached_property
    def hook(self) -> CandidHook:
        """The hook this task calls Candid with."""
        # Here, because a DAG file is parsed often and executed elsewhere.
        from candid_provider.hooks.candid import CandidHook

        return CandidHook(self.candid_conn_id)
