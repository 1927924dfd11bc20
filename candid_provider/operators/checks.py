"""Checks that Candid makes in the background, each submitted once: of a coverage, for insurance, by rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.exceptions import CandidConfigError
from candid_provider.operators.job import JobOperator
from candid_provider.operators.private import json_at

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from candid_provider.api.jobs import Job

HOUR = 3600.0


class CandidCoverageEligibilityOperator(JobOperator):
    """Check the eligibility of one coverage, and write the answer to a file.

    :param coverage_id: Candid's id of the coverage.
    :param service_code: type of service, such as ``30``.
    :param date_of_service: date, ``YYYY-MM-DD``.
    :param npi: of the provider who asks.
    :param output_path: file for the answer: one for each run and mapped task.
    :param poll_interval: seconds before it is asked for again; grows to the tenfold.
    :param timeout: seconds to wait, from the submission on.
    :param deferrable: wait in the triggerer.
    :param candid_conn_id: id of a connection of type ``candid``.
    :returns: ``{"check_id", "status", "bytes", "path"}``.
    :raises AirflowFailException: a retry cannot help: wrong arguments or credentials, a check that failed (its
        answer is in ``output_path``) or took too long. Cleared, a task whose check failed checks anew.
    :raises CandidError: a retry may help; it goes on with the same check.
    """

    template_fields: Sequence[str] = (
        "candid_conn_id",
        "coverage_id",
        "service_code",
        "date_of_service",
        "npi",
        "output_path",
    )

    def __init__(
        self,
        *,
        coverage_id: str,
        service_code: str,
        date_of_service: str,
        npi: str,
        output_path: str | ObjectStoragePath,
        poll_interval: float = 10.0,
        timeout: float = HOUR,
        **kwargs: Any,
    ) -> None:
        super().__init__(output_path=output_path, poll_interval=poll_interval, timeout=timeout, **kwargs)
        self.coverage_id = coverage_id
        self.service_code = service_code
        self.date_of_service = date_of_service
        self.npi = npi

    def job(self, context: Context) -> Job:
        """Ask for the check."""
        from candid_provider.api.jobs import coverage_eligibility

        return coverage_eligibility(
            self.coverage_id,
            service_code=self.service_code,
            date_of_service=str(self.date_of_service),
            npi=self.npi,
        )


class CandidInsuranceDiscoveryOperator(JobOperator):
    """Look for a patient's insurance, and write the answer to a file.

    :param patient_id: Candid's id of the patient.
    :param date_of_service: date, ``YYYY-MM-DD``.
    :param npi: of the provider who asks.
    :param output_path: file for the answer: one for each run and mapped task.
    :param poll_interval: seconds before it is asked for again; grows to the tenfold.
    :param timeout: seconds to wait, from the submission on.
    :param deferrable: wait in the triggerer.
    :param candid_conn_id: id of a connection of type ``candid``.
    :returns: ``{"check_id", "status", "bytes", "path"}``.
    :raises AirflowFailException: as :class:`CandidCoverageEligibilityOperator`.
    :raises CandidError: a retry may help; it goes on with the same search.
    """

    template_fields: Sequence[str] = ("candid_conn_id", "patient_id", "date_of_service", "npi", "output_path")

    def __init__(
        self,
        *,
        patient_id: str,
        date_of_service: str,
        npi: str,
        output_path: str | ObjectStoragePath,
        poll_interval: float = 30.0,
        timeout: float = 2 * HOUR,
        **kwargs: Any,
    ) -> None:
        super().__init__(output_path=output_path, poll_interval=poll_interval, timeout=timeout, **kwargs)
        self.patient_id = patient_id
        self.date_of_service = date_of_service
        self.npi = npi

    def job(self, context: Context) -> Job:
        """Ask for the search."""
        from candid_provider.api.jobs import insurance_discovery

        return insurance_discovery(self.patient_id, date_of_service=str(self.date_of_service), npi=self.npi)


class CandidPreServiceRunOperator(JobOperator):
    """Run a pipeline of rules over an encounter to be, and write what comes of it to a file.

    :param entity_path: file, on any object storage, with the encounter as JSON (``PreServiceEncounterCreate``).
    :param pipeline_id: Candid's id of the pipeline.
    :param enabled_rule_ids: rules to run besides.
    :param disabled_rule_ids: rules not to run.
    :param output_path: file for the answer: one for each run and mapped task.
    :param poll_interval: seconds before it is asked for again; grows to the tenfold.
    :param timeout: seconds to wait, from the submission on. A run of which Candid tells neither edits nor actions
        nor an error cannot be told from one under way, and ends so.
    :param deferrable: wait in the triggerer.
    :param candid_conn_id: id of a connection of type ``candid``.
    :returns: ``{"run_id", "status", "bytes", "path"}``; ``status`` is None.
    :raises AirflowFailException: as :class:`CandidCoverageEligibilityOperator`.
    :raises CandidError: a retry may help; it goes on with the same run.
    """

    template_fields: Sequence[str] = (
        "candid_conn_id",
        "entity_path",
        "pipeline_id",
        "enabled_rule_ids",
        "disabled_rule_ids",
        "output_path",
    )

    def __init__(
        self,
        *,
        entity_path: str | ObjectStoragePath,
        pipeline_id: str,
        enabled_rule_ids: Sequence[str] = (),
        disabled_rule_ids: Sequence[str] = (),
        output_path: str | ObjectStoragePath,
        poll_interval: float = 5.0,
        timeout: float = 600.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(output_path=output_path, poll_interval=poll_interval, timeout=timeout, **kwargs)
        self.entity_path = entity_path
        self.pipeline_id = pipeline_id
        self.enabled_rule_ids = enabled_rule_ids
        self.disabled_rule_ids = disabled_rule_ids

    def job(self, context: Context) -> Job:
        """Ask for the run, by a key that is the same in each try."""
        from candid_provider.api.jobs import pre_service_run
        from candid_provider.transfers.output.owner import owner_of

        return pre_service_run(
            self._entity(),
            pipeline_id=self.pipeline_id,
            enabled=list(self.enabled_rule_ids),
            disabled=list(self.disabled_rule_ids),
            key=f"af-{owner_of(self, context).digest}",
        )

    def _entity(self) -> Mapping[str, Any]:
        entity = json_at(self.entity_path, "entity_path")
        if not isinstance(entity, dict):
            raise CandidConfigError("entity_path: the file holds no JSON object", field="entity_path")
        return entity
