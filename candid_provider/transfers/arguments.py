"""Arguments of the wrong kind, named before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from candid_provider.exceptions import CandidConfigError


def mapping(field: str, value: object) -> Mapping[str, Any]:
    """Read an argument that maps names to values; None is empty.

    :raises CandidConfigError: it is something else, such as the text that a template gives.
    """
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    raise CandidConfigError(
        f"{field} is not a mapping of names to values. Give a dict; a template in place of one gives text, unless the"
        " DAG has render_template_as_native_obj=True",
        field=field,
    )


def text(field: str, value: object) -> str:
    """Read an argument that is text.

    :raises CandidConfigError: it is something else.
    """
    if isinstance(value, str):
        return value
    raise CandidConfigError(f"{field} is not text", field=field)


def within(field: str, value: object, least: float, most: float, *, whole: bool = False) -> None:
    """See that an argument is a number in a range.

    :param whole: it has to be a whole one.
    :raises CandidConfigError: it is not.
    """
    kind = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
        a_number = "a whole number" if whole else "a number"
        bounds = f"of at least {least}" if most == float("inf") else f"from {least} to {most}"
        raise CandidConfigError(f"{field} is not {a_number} {bounds}", field=field)
