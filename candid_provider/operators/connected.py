"""What all operators have: a connection, by its id, and a policy for their failures."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from candid_provider.policies.retry import DEFAULT_POLICY, policies_exist

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import RetryPolicy

    from candid_provider.hooks.candid import CandidHook


class Connected(BaseOperator):
    """Call Candid Health on a connection of type ``candid``.

    :param retry_policy: decides by the error about another try (Airflow 3.3); by default
        :func:`~candid_provider.policies.retry.candid_retry_policy`. None: as Airflow does without one.
    """

    ui_color = "#e8f1ee"
    candid_conn_id: str

    # Named here, default_args and partial() find it, too.
    def __init__(self, *, retry_policy: RetryPolicy | None = DEFAULT_POLICY, **kwargs: Any) -> None:
        if retry_policy is not None or policies_exist():
            kwargs["retry_policy"] = retry_policy
        super().__init__(**kwargs)

    @cached_property
    def hook(self) -> CandidHook:
        """The hook this task calls Candid with."""
        # Here, because a DAG file is parsed often and executed elsewhere.
        from candid_provider.hooks.candid import CandidHook

        return CandidHook(self.candid_conn_id)
