"""Work that Candid does in the background: how it is asked for, found again, waited for and read."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from candid_provider.api.call import Call
from candid_provider.api.outcome import SOME, Conditions, values_at
from candid_provider.exceptions import CandidUnavailableError


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Describe one piece of work.

    :param name: what it is, for messages.
    :param submit: asks for it. One that is ``read_only`` may be sent twice: Candid knows it by its key.
    :param id_key: where its id stands in the answer; empty if the answer is the id.
    :param path: path of its result.
    :param path_params: placeholders of that path besides ``id_param``.
    :param id_param: the placeholder for its id.
    :param conditions: what the result means while it is waited for.
    :param listing: lists the jobs of its sort, so that one whose answer was lost is found; None if nothing does.
    :param listed: where their ids stand in that answer.
    :param probe: a question that tells whether Candid answers, before what cannot be sent twice is sent.
    :param anew: makes the call for one more, when the one of an id has ended badly.
    :param again: makes the call for a second try, when the first one of a time may have arrived.
    """

    name: str
    submit: Call
    id_key: str
    path: str
    path_params: Mapping[str, str] = field(default_factory=dict)
    id_param: str
    conditions: Conditions
    listing: Call | None = None
    listed: str = ""
    probe: Call | None = None
    anew: Callable[[str], Call] | None = None
    again: Callable[[datetime.datetime], Call] | None = None

    @property
    def is_found_again(self) -> bool:
        """Whether one whose answer was lost is found, or may be submitted again without harm."""
        return self.submit.retry or self.listing is not None

    @property
    def digest(self) -> str:
        """Tell what is asked for from anything else; as short as it must not be shown where bodies must not be."""
        call = self.submit
        parts = (call.route, *map(str, call.path_params.values()))
        # The key of a run is not what is asked for.
        return hashlib.blake2b("\n".join(parts).encode() + b"\n" + (call.body or b""), digest_size=16).hexdigest()

    def id_of(self, answer: Any) -> str:
        """Take the id from the answer to ``submit``.

        :raises CandidUnavailableError: there is none; the work may have begun.
        """
        found = answer.get(self.id_key) if self.id_key and isinstance(answer, dict) else answer
        if isinstance(found, str) and found:
            return found
        raise CandidUnavailableError(
            f"{self.submit.route}: the answer names no {self.id_param}", route=self.submit.route, outcome_unknown=True
        )

    def ids_in(self, answer: Any) -> list[str]:
        """Take ids from the answer to ``listing``."""
        return [found for found in values_at(answer, self.listed) if isinstance(found, str)]

    def params(self, job_id: str) -> dict[str, str]:
        """Give the placeholders of the result's path."""
        return {**self.path_params, self.id_param: job_id}

    def result(self, job_id: str) -> Call:
        """Give the call for the result."""
        return Call(method="GET", path=self.path, path_params=self.params(job_id), final=self.conditions.signs)


def coverage_eligibility(coverage_id: str, *, service_code: str, date_of_service: str, npi: str) -> Job:
    """Check the eligibility of a coverage (Candid: POST /coverages/v1/{id}/eligibility).

    A check whose answer was lost is found among the coverage's ``eligibility_checks``.
    """
    path, params = "/coverages/v1/{id}/eligibility", {"id": coverage_id}
    body = {"service_code": service_code, "date_of_service": date_of_service, "npi": npi}
    return Job(
        name="an eligibility check",
        submit=Call(method="POST", path=path, path_params=params, json=body),
        id_key="check_id",
        path=f"{path}/{{check_id}}",
        path_params=params,
        id_param="check_id",
        conditions=_ended("COMPLETED", "FAILED"),
        listing=Call(method="GET", path="/coverages/v1/{id}", path_params=params),
        listed="eligibility_checks.*.check_id",
    )


def insurance_discovery(patient_id: str, *, date_of_service: str, npi: str) -> Job:
    """Look for a patient's insurance (Candid: POST /coverages/v1/insurance-discovery).

    A search whose answer was lost is found among the patient's (``.../check-metadata``).
    """
    path = "/coverages/v1/insurance-discovery"
    body = {"patient_id": patient_id, "date_of_service": date_of_service, "npi": npi}
    return Job(
        name="an insurance discovery",
        submit=Call(method="POST", path=path, json=body),
        id_key="check_id",
        path=f"{path}/{{check_id}}",
        id_param="check_id",
        conditions=_ended("COMPLETE", "ERROR"),
        listing=Call(method="GET", path=f"{path}/check-metadata", params={"patient_id": patient_id}),
        listed="*.check_id",
    )


def pre_service_run(
    entity: Mapping[str, Any], *, pipeline_id: str, enabled: list[str], disabled: list[str], key: str
) -> Job:
    """Run a pipeline of rules over an encounter to be (Candid: POST /api/pre-service/v1/runs/encounter).

    A run has no status: it is taken to have ended once it tells of edits, actions or an error.

    :param key: names the run at Candid, which answers a second request of the same key with the same run.
    """
    body = {
        "entity": entity,
        "pipeline_id": pipeline_id,
        "enabled_rule_ids": enabled,
        "disabled_rule_ids": disabled,
        "idempotency_key": key,
    }
    submit = Call(method="POST", path="/api/pre-service/v1/runs/encounter", json=body, read_only=True)
    return Job(
        name="a pre-service run",
        submit=submit,
        anew=lambda run_id: dataclasses.replace(submit, json={**body, "idempotency_key": f"{key}-{run_id}"}),
        id_key="",
        path="/api/pre-service/v1/runs/{run_id}",
        id_param="run_id",
        conditions=Conditions(status_path="error|edits|actions.*", succeeded=[SOME], match="any"),
    )


def _ended(well: str, badly: str) -> Conditions:
    return Conditions(status_path="metadata.status", succeeded=[well], failed=[badly], not_yet=["PENDING"])
