"""Operator arguments that Airflow renders but does not keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, XComArg


class Private:
    """Hold an argument that may name a patient: rendered for the task, kept out of the metadata database.

    Airflow stores rendered template fields, and serialised DAGs, as texts. It renders the ``template_fields``
    of an argument in place and stores what ``serialize()`` says of it (Airflow 3.3,
    ``execution_time/task_runner.py``; 2.11, ``serialization/helpers.py``): here, never a value.

    :param operator: becomes a downstream task of what the value refers to.
    :param value: template, XComArg or plain value.
    :param shown: says what may be seen of the rendered value.
    """

    template_fields = ("value",)

    def __init__(self, operator: BaseOperator, value: Any, shown: Callable[[Any], str]) -> None:
        self.value = value
        self._shown = shown
        XComArg.apply_upstream_relationship(operator, value)

    def serialize(self) -> str:
        """Say what may be seen of the value."""
        try:
            return self._shown(self.value)
        except (TypeError, AttributeError):
            return "not shown"

    __str__ = __repr__ = serialize


def names(value: Any) -> str:
    """Show the names of a mapping's entries, not their values."""
    return ", ".join(sorted(map(str, value or {}))) + " (values not shown)" if value else ""


def nothing(value: Any) -> str:
    """Show whether there is a value."""
    return "not shown" if value is not None else ""
