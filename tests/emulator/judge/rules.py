"""What every answer must be: whole, free of the catalogue's examples, and marked where it identifies a patient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from candid_provider.emulator.catalogue import endpoints, template
from candid_provider.emulator.world.people import MARKERS

_SAMPLES: Final = frozenset({"Jane", "Doe", "1 Main St", "enc-0001", "pat-0001", "2601010001", "AETNA12345"})
_MARKS: Final = tuple(marker.lower() for marker in MARKERS)
# What identifies a patient wherever it stands ...
_IDENTIFYING: Final = frozenset({"patient_name", "mrn", "patient_mrn", "primary_patient_mrn", "member_id"})
# ... and what does so inside of an object about one, but not about those who treat one.
_PERSONAL: Final = frozenset(
    {"first_name", "last_name", "family", "given", "address1", "line", "email", "emails", "number", "value"}
)
_PATIENTS: Final = frozenset(
    {"patient", "subscriber", "guarantor", "contacts", "subscriber_primary", "subscriber_secondary"}
)
_OTHERS: Final = frozenset({"general_practitioners", "providers", "custom_metadata"})
_ABOUT_PATIENTS: Final = frozenset({"patients", "guarantor", "coverages"})
Leaf = tuple[tuple[str, ...], Any]


def sample_of(endpoint_id: str) -> Any:
    """The catalogue's example of an answer; None where the SDK gives nothing back."""
    return None if endpoints()[endpoint_id].response == "None" else template(endpoint_id)


def lacking(sample: Any, answer: Any, where: str = "") -> list[str]:
    """The keys of a sample that an answer has not, all the way down."""
    if isinstance(sample, list) and isinstance(answer, list):
        return [fault for item in answer for fault in lacking(sample[0], item, where)] if sample else []
    if not isinstance(sample, dict) or not isinstance(answer, dict):
        same = answer is None or sample is None or isinstance(answer, type(sample)) or isinstance(sample, float)
        return [] if same else [f"{where} is {type(answer).__name__}, not {type(sample).__name__}"]
    if sample and all(_is_uuid(name) for name in sample):
        value = next(iter(sample.values()))
        return [fault for item in answer.values() for fault in lacking(value, item, f"{where}/*")]
    if "type" in sample and sample["type"] != answer.get("type"):
        return []  # another of several shapes
    faults = [f"{where}/{name} is missing" for name in sample if name not in answer]
    both = [name for name in sample if name in answer]
    return faults + [fault for name in both for fault in lacking(sample[name], answer[name], f"{where}/{name}")]


def leaves(value: Any, way: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Everything in a JSON value that is neither object nor list, and the names on the way to it."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*way, name))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, way)
    else:
        yield way, value


def examples(sample: Any, answer: Any) -> list[str]:
    """Texts of an answer that stem from the catalogue's examples."""
    known = _SAMPLES | {value for _, value in leaves(sample) if _is_uuid(value)}
    return [
        f"{'/'.join(way)}: {value}"
        for way, value in leaves(answer)
        if isinstance(value, str) and (value in known or (way and value == way[-1]))
    ]


def identifying(endpoint_id: str, answer: Any) -> list[Leaf]:
    """What identifies a patient in an endpoint's answer."""
    area = endpoint_id.partition(".v_")[0].rpartition(".")[2]
    about = ("patient",) if area in _ABOUT_PATIENTS and "search_providers" not in endpoint_id else ()
    texts = ((way, value) for way, value in leaves(answer, about) if isinstance(value, str))
    return [(way, value) for way, value in texts if _identifies(way)]


def unmarked(endpoint_id: str, answer: Any) -> list[str]:
    """What identifies a patient and carries no marker."""
    found = identifying(endpoint_id, answer)
    return [f"{'/'.join(way)}: {text}" for way, text in found if not any(mark in text.lower() for mark in _MARKS)]


def _identifies(way: tuple[str, ...]) -> bool:
    if not way or not _OTHERS.isdisjoint(way):
        return False
    return way[-1] in _IDENTIFYING or (way[-1] in _PERSONAL and not _PATIENTS.isdisjoint(way[:-1]))


def _is_uuid(text: Any) -> bool:
    try:
        return isinstance(text, str) and bool(UUID(text))
    except ValueError:
        return False
