"""Rules run over an encounter before the service (Candid: /api/pre-service/v1)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import missing, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.world import microseconds

_PIPELINES: Final = (("Claim edits", "ENCOUNTER"), ("Prior authorization", "ENCOUNTER"), ("Registration", "PATIENT"))


def _pipeline(state: State, index: int) -> Record:
    name, run_type = _PIPELINES[index]
    return {"id": state.world.ids.uuid("pre_service_pipeline", index), "name": name, "run_type": run_type}


PIPELINES: Final = Kind("pre_service_pipeline", "id", count=lambda _: len(_PIPELINES), make=_pipeline)
RUNS: Final = Kind("pre_service_run", "run_id", unique="idempotency_key")


@answers("pre_service_rules.v_1.get_pipelines")
def list_pipelines(asked: Asked) -> list[Record]:
    return list(asked.state.of(PIPELINES))


@answers("pre_service_rules.v_1.create_encounter_run")
def begin_run(asked: Asked) -> str:
    state, body, runs = asked.state, asked.body, asked.state.of(RUNS)
    pipeline = state.of(PIPELINES).get(body["pipeline_id"])
    if pipeline is None or pipeline["run_type"] != "ENCOUNTER":
        raise unprocessable(asked.endpoint, "pipeline_id", "is no pipeline for encounters")
    if (known := runs.holder(body["idempotency_key"])) is not None:
        return known
    began, number = state.clock.tick(), len(runs)
    record = {
        "run_id": runs.new_id(),
        "idempotency_key": body["idempotency_key"],
        "number": number,
        "began": began,
        "ends": began + (1 + state.world.ids.draw("pre-service-wait", number) % 20) * 1_000_000,
        "entity": body["entity"],
    }
    run_id: str = runs.add(record)["run_id"]
    return run_id


@answers("pre_service_rules.v_1.get_run")
def get_run(asked: Asked) -> Record:
    """Until it has ended, a run has neither edits nor an error: Candid tells of no other sign."""
    state, record = asked.state, asked.state.of(RUNS).get(asked.id)
    whole = asked.query.boolean("include_initial_entity_state")
    if record is None:
        raise missing(asked.endpoint, asked.id)
    answer = {
        "run_id": record["run_id"],
        "created_at": microseconds(record["began"]),
        "entity_external_id": record["entity"]["external_id"],
        "initial_entity_state": record["entity"] if whole else None,
        "edits": None,
        "actions": [],
        "error": None,
    }
    return answer if state.clock.now() < record["ends"] else answer | _outcome(state, record["number"])


def _outcome(state: State, number: int) -> Record:
    bits = state.world.ids.draw("pre-service-run", number)
    if bits % 20 == 0:
        return {"error": {"message": "The rules engine stopped before it was through"}}
    edits = {"submission_expectation": "TARGET_PROFESSIONAL"} if bits >> 8 & 1 else {}
    holds = [{"type": "hold", "rule_id": state.world.ids.uuid("pre_service_rule", bits % 7)}]
    return {"edits": edits, "actions": holds if bits >> 9 & 3 == 0 else []}
