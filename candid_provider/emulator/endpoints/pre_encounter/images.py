"""Images, of insurance cards or of patients (Candid: /images/v1)."""

from __future__ import annotations

import base64
from functools import partial
from typing import Final

from candid_provider.emulator.endpoints.pre_encounter.coverages import COVERAGE
from candid_provider.emulator.endpoints.pre_encounter.patients import PATIENT
from candid_provider.emulator.endpoints.pre_encounter.versioned import (
    Resource,
    active,
    conflict,
    in_order,
    latest_version,
    sorting,
)
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.world import milliseconds

_SEEDED: Final = 200
# What the seeded images show: one white dot.
_PIXEL: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)
_SORTS: Final = ("updatedAt", "fileName", "displayName", "fileType", "status")


def _make(state: State, index: int) -> Record:
    coverage, side = divmod(index, 2)
    name = ("front", "back")[side]
    return {
        "organization_id": state.organization.id,
        "deactivated": False,
        "version": 2,
        "updated_at": milliseconds(state.world.updated("coverage", coverage)),
        "updating_user_id": state.organization.user_id,
        "id": state.world.ids.uuid("image", index),
        "file_name": f"card-{name}.png",
        "display_name": f"Insurance card, {name}",
        "file_type": "image/png",
        "status": "UPLOADED",
        "coverage": {"id": state.world.ids.uuid("coverage", coverage), "side": name.upper()},
        "patient": None,
    }


def _cards(image: Record) -> list[str]:
    coverage = image["coverage"]
    return [f"{coverage['id']} {coverage['side']}"] if coverage else []


IMAGES: Final = Kind(
    "image",
    "id",
    count=lambda state: min(_SEEDED, 2 * state.world.coverages),
    make=_make,
    updated=lambda state, index: state.world.updated("coverage", index // 2),
    indexes={"card": _cards},
    versioned=True,
)
_IMAGE: Final = Resource(IMAGES, "Image")


def _signed_url(state: State, image: Record) -> str:
    """Where the file is to be put, and once it is there, fetched."""
    name = f"images/{image['id']}"
    if image["status"] != "UPLOADED":
        return state.files.upload_url(name, partial(_receive, state, image["id"]))[0]
    return state.files.url(name, state.files.kept(image["id"]) or _PIXEL, image["file_type"])[0]


def _receive(state: State, identifier: str, content: bytes, media_type: str) -> None:
    """The file has come: a change of its own."""
    image = state.of(IMAGES).get(identifier)
    if image is not None and not image["deactivated"]:
        state.files.keep(identifier, content)
        _IMAGE.changed(state, image, {"status": "UPLOADED", "file_type": media_type})


def _shown(state: State, image: Record) -> Record:
    return image | {"signed_url": _signed_url(state, image)}


def _found(asked: Asked) -> Record:
    return _IMAGE.found(asked)


@answers("pre_encounter.images.v_1.get_multi")
def list_images(asked: Asked) -> list[Record]:
    query, state = asked.query, asked.state
    patient, coverage = query.text("patient_id"), query.text("coverage_id")
    kind, notes = query.text("file_type"), query.text("patient_notes")
    query.choice("sort_field", _SORTS)
    field, descending = sorting(asked, descending=True)

    def fits(image: Record) -> bool:
        owner, card = image["patient"] or {}, image["coverage"] or {}
        described = notes is None or notes.casefold() in (owner.get("notes") or "").casefold()
        mine = patient in (None, owner.get("id")) and coverage in (None, card.get("id"))
        return mine and described and kind in (None, image["file_type"])

    images = list(filter(fits, active(state.of(IMAGES))))
    ordered = in_order(images, field or "updatedAt", descending=descending, shape=_make(state, 0))
    return [_shown(state, image) for image in ordered]


@answers("pre_encounter.images.v_1.get")
def get_image(asked: Asked) -> Record:
    return _shown(asked.state, _found(asked))


@answers("pre_encounter.images.v_1.create")
def create_image(asked: Asked) -> Record:
    return _shown(asked.state, _IMAGE.created(asked, _fields(asked, None)))


@answers("pre_encounter.images.v_1.update")
def update_image(asked: Asked) -> Record:
    image = _found(asked)
    latest_version(asked, image)
    return _shown(asked.state, _IMAGE.updated(asked, image, _fields(asked, image["id"])))


@answers("pre_encounter.images.v_1.deactivate")
def deactivate_image(asked: Asked) -> None:
    image = _found(asked)
    latest_version(asked, image)
    _IMAGE.updated(asked, image, {"deactivated": True})


def _fields(asked: Asked, own: str | None) -> Record:
    fields = completed(asked)
    for owner, resource in ((fields["coverage"], COVERAGE), (fields["patient"], PATIENT)):
        if owner is not None:
            resource.found(asked, owner["id"])
    for card in _cards(fields):
        if any(image["id"] != own for image in _images_of(asked.state, card)):
            raise conflict("There is an image of this side of the coverage's card already")
    return fields


def _images_of(state: State, card: str) -> list[Record]:
    """The images of one side of a coverage's card that are not deactivated."""
    images, (coverage, side) = state.of(IMAGES), card.split()
    number = state.world.ids.index("coverage", coverage, state.world.coverages)
    index = -1 if number is None else 2 * number + (side == "BACK")
    seeded = [_make(state, index)] if index in images.seeded and not images.is_changed(index) else []
    return active(seeded + images.written_with("card", card))
