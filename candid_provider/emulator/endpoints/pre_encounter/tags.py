"""Tags (Candid: /tags/v1)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.pre_encounter.versioned import Resource, active, latest_version
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.exchange.paging import page_of
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.world import milliseconds

_VALUES: Final = ("new patient", "interpreter", "records requested", "self-pay", "telehealth", "call first")


def _make(state: State, index: int) -> Record:
    return {
        "organization_id": state.organization.id,
        "deactivated": False,
        "version": 1,
        "updated_at": milliseconds(state.world.updated("patient", 0)),
        "updating_user_id": state.organization.user_id,
        "id": state.world.ids.uuid("tag", index),
        "value": _VALUES[index],
        "description": None,
        "alert": index == len(_VALUES) - 1,
    }


TAGS: Final = Kind(
    "tag",
    "id",
    count=lambda _: len(_VALUES),
    make=_make,
    unique="value",
    seeded=lambda _, text: _VALUES.index(text) if text in _VALUES else None,
    versioned=True,
)
_TAG: Final = Resource(TAGS, "Tag", lambda tag: {"tag_id": tag["id"]})


@answers("pre_encounter.tags.v_1.get_all")
def list_tags(asked: Asked) -> Record:
    return page_of(asked, active(asked.state.of(TAGS)))


@answers("pre_encounter.tags.v_1.get")
def get_tag(asked: Asked) -> Record:
    return _TAG.found(asked)


@answers("pre_encounter.tags.v_1.create")
def create_tag(asked: Asked) -> Record:
    """Add a tag; one that exists already is answered as it is."""
    fields = completed(asked)
    holder = asked.state.of(TAGS).holder(fields["value"])
    return _TAG.created(asked, fields) if holder is None else _TAG.found(asked, holder)


@answers("pre_encounter.tags.v_1.update")
def update_tag(asked: Asked) -> Record:
    tag = _TAG.found(asked)
    latest_version(asked, tag)
    fields = completed(asked)
    if asked.state.of(TAGS).holder(fields["value"]) not in (None, tag["id"]):
        raise unprocessable(asked.endpoint, "value", "is another tag's")
    return _TAG.updated(asked, tag, fields)


@answers("pre_encounter.tags.v_1.deactivate")
def deactivate_tag(asked: Asked) -> None:
    tag = _TAG.found(asked)
    latest_version(asked, tag)
    _TAG.updated(asked, tag, {"deactivated": True})
