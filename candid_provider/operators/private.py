"""Operator arguments that Airflow renders but does not keep."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.providers.common.compat.sdk import BaseOperator, ObjectStoragePath, XComArg

from candid_provider.exceptions import CandidConfigError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from jinja2 import Environment


class Private:
    """Hold an argument that may name a patient: rendered for the task, not shown among its rendered fields.

    Airflow stores rendered template fields as texts. It renders the ``template_fields`` of an argument in
    place and stores what ``serialize()`` says of it (Airflow 3.3, ``execution_time/task_runner.py``; 2.11,
    ``serialization/helpers.py``): here, never a value. What a DAG file gives to ``partial`` and ``expand``
    is stored with the DAG as it is written, like the file itself.

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


class RendersPrivately(BaseOperator):
    """Render :class:`Private` arguments of one run without touching those of the next."""

    def render_template_fields(self, context: Context, jinja_env: Environment | None = None) -> None:
        """Render a copy: Airflow renders a shallow copy of the operator, which shares its arguments."""
        for name in self.template_fields:
            if isinstance(value := getattr(self, name), Private):
                setattr(self, name, copy.copy(value))
        super().render_template_fields(context, jinja_env)


def names(value: Any) -> str:
    """Show the names of a mapping's entries, not their values."""
    if not isinstance(value, Mapping):
        return nothing(value)
    return ", ".join(sorted(map(str, value))) + " (values not shown)" if value else ""


def nothing(value: Any) -> str:
    """Show whether there is a value."""
    return "not shown" if value is not None else ""


def json_at(path: str | ObjectStoragePath, field: str) -> Any:
    """Read a file of JSON, which keeps patients' data out of the DAG.

    :param field: the argument that names it.
    :raises CandidConfigError: it is not there, or not JSON; names the field.
    """
    try:
        return msgspec.json.decode(ObjectStoragePath(path).read_bytes())
    except msgspec.DecodeError:
        problem = "is not JSON"
    except FileNotFoundError:
        problem = "does not exist"
    raise CandidConfigError(f"{field}: the file {problem}", field=field)
