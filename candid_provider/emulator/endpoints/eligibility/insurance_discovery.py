"""Finding a patient's insurance, at once or in the background (Candid: …/insurance-discovery)."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from candid_provider.emulator.endpoints.pre_encounter.coverages import COVERAGES
from candid_provider.emulator.endpoints.pre_encounter.patients import PATIENTS
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import invalid, missing
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.benefits import coverage_benefits
from candid_provider.emulator.world.eligibility import Verdict, bits_of, plan, rejection
from candid_provider.emulator.world.organization import payer_id, payer_name
from candid_provider.emulator.world.people import member_id
from candid_provider.emulator.world.world import milliseconds

# Written records only: who is looked for, and the instants at which the search began and ends.
DISCOVERIES: Final = Kind(
    "insurance_discovery",
    "check_id",
    indexes={"patient": lambda check: [check["patient_id"]] if check["patient_id"] else []},
)
_STRANGER: Final = 1 << 26  # member numbers from here on belong to no coverage of the world


@answers("pre_encounter.eligibility_checks.v_1.insurance_discovery")
def discover(asked: Asked) -> Record:
    state, request = asked.state, completed(asked)
    bits = _bits(state, request)
    found = _strangers_coverages(state, request["subscriber"], bits)
    # Long searches are what the endpoints under /coverages are for.
    return _response(state, bits, found, "PENDING" if bits >> 50 & 7 == 0 else _outcome(bits))


@answers("pre_encounter.coverages.v_1.check_insurance_discovery_passthrough")
def begin_for_anyone(asked: Asked) -> Record:
    request = completed(asked)
    return _begin(asked.state, None, request["subscriber"], _bits(asked.state, request))


@answers("pre_encounter.coverages.v_1.check_insurance_discovery")
def begin_for_patient(asked: Asked) -> Record:
    state, given = asked.state, completed(asked)
    patient = state.of(PATIENTS).get(given["patient_id"])
    if patient is None:
        raise missing(asked.endpoint, given["patient_id"], "Patient")
    name = patient["name"]
    who = {
        "first_name": " ".join(name["given"]),
        "last_name": name["family"],
        "date_of_birth": patient["birth_date"],
    }
    return _begin(state, patient, who, bits_of(state.world.ids, "discovery", patient["id"]))


def _bits(state: State, request: Record) -> int:
    who = request["dependent"] or request["subscriber"]
    names = ("first_name", "last_name", "date_of_birth", "ssn")
    return bits_of(state.world.ids, "discovery", *(who[name] for name in names))


def _begin(state: State, patient: Record | None, who: Record, bits: int) -> Record:
    checks, began = state.of(DISCOVERIES), state.clock.tick()
    record = {
        "check_id": checks.new_id(),
        "patient_id": patient and patient["id"],
        "coverages": patient and patient["filing_order"]["coverages"],
        "who": {name: who[name] for name in ("first_name", "last_name", "date_of_birth")},
        "bits": bits,
        "began": began,
        "ends": began + (20 + (bits >> 8) % 580) * 1_000_000,
    }
    return _metadata(state, checks.add(record))


def _outcome(bits: int) -> str:
    return "ERROR" if bits % 12 == 0 else "COMPLETE"


def _metadata(state: State, record: Record) -> Record:
    return {
        "check_id": record["check_id"],
        "status": "PENDING" if state.clock.now() < record["ends"] else _outcome(record["bits"]),
        "initiated_by": state.organization.user_id,
        "initiated_at": milliseconds(record["began"]),
    }


@answers("pre_encounter.coverages.v_1.get_insurance_discovery_check_metadata")
def list_metadata(asked: Asked) -> list[Record]:
    patient = asked.query.text("patient_id")
    if patient is None:
        raise invalid("patient_id", "is required")
    rows = asked.state.of(DISCOVERIES).written_with("patient", patient.lower())
    return [_metadata(asked.state, row) for row in rows]


@answers("pre_encounter.coverages.v_1.get_insurance_discovery")
def get_discovery(asked: Asked) -> Record:
    state, record = asked.state, asked.state.of(DISCOVERIES).get(asked.id)
    if record is None:
        raise missing(asked.endpoint, asked.id, "Insurance discovery check")
    metadata = _metadata(state, record)
    if metadata["status"] == "PENDING":
        return {"metadata": metadata, "response": None}
    if record["coverages"] is None:
        found = _strangers_coverages(state, record["who"], record["bits"])
    else:
        found = [_known(row) for id_ in record["coverages"] if (row := state.of(COVERAGES).get(id_))]
    response = _response(state, record["bits"], found, metadata["status"], record["check_id"])
    return {"metadata": metadata, "response": response}


def _known(coverage: Record) -> Record:
    insured, subscriber = coverage["insurance_plan"], coverage["subscriber"]
    member = {
        "member_id": insured["member_id"],
        "first_name": " ".join(subscriber["name"]["given"]),
        "last_name": subscriber["name"]["family"],
        "date_of_birth": subscriber.get("date_of_birth"),
    }
    return {"payer_id": insured["payer_id"], "payer_name": insured["payer_name"], "member": member}


def _strangers_coverages(state: State, who: Record, bits: int) -> list[Record]:
    names = {name: who[name] for name in ("first_name", "last_name", "date_of_birth")}
    payers, count = state.config.payers, (0, 0, 1, 1, 1, 1, 2, 2)[bits >> 16 & 7]
    numbers = [((bits >> 20) + n) % payers for n in range(count)]
    return [
        {
            "payer_id": payer_id(number),
            "payer_name": payer_name(number),
            "member": {"member_id": member_id(_STRANGER + (bits >> 30) % _STRANGER // 4 + n), **names},
        }
        for n, number in enumerate(numbers)
    ]


def _response(state: State, bits: int, found: list[Record], status: str, check_id: str | None = None) -> Record:
    done = status == "COMPLETE"
    return {
        "discovery_id": check_id or state.world.ids.uuid("discovery", bits >> 4),
        "status": status,
        "items": [_raw(row) for row in found] if done else None,
        "parsed_items": [_parsed(state, row, bits) for row in found] if done else None,
        "coverages_found": len(found) if done else None,
        "errors": [rejection("42")] if status == "ERROR" else None,
    }


def _raw(found: Record) -> Record:
    member = found["member"]
    return {
        "payer": {"name": found["payer_name"], "payorIdentification": found["payer_id"]},
        "subscriber": {
            "memberId": member["member_id"],
            "firstName": member["first_name"],
            "lastName": member["last_name"],
        },
        "planStatus": [{"statusCode": "1", "status": "Active Coverage", "serviceTypeCodes": ["30"]}],
    }


def _parsed(state: State, found: Record, bits: int) -> Record:
    request: dict[str, Any] = {"payer_id": found["payer_id"], "subscriber": found["member"], "dependent": None}
    today = date.fromisoformat(state.now()[:10])
    sure = bits >> 12 & 3 != 0
    return {
        "eligibility_status": "ACTIVE",
        "plan_metadata": plan(request, Verdict("ACTIVE", None, bits), today, found["payer_name"]),
        "benefits": coverage_benefits(bits, ["30"]),
        "confidence": {
            "level": "HIGH" if sure else "REVIEW_NEEDED",
            "reason": "Name, date of birth and address match" if sure else "Only the name matches",
        },
    }
