"""Threads of a triggerer, from which Airflow's sync functions ask the supervisor."""

from __future__ import annotations

import os
import sys


def lead_to_event_loop() -> None:
    """Let sync functions of Airflow that are called in this thread reach the triggerer's event loop.

    Airflow 3.0 and 3.1 look for it where asgiref's ``sync_to_async`` leaves it (``jobs/triggerer_job_runner.py``,
    ``TriggerCommsDecoder.send``). In any other thread they read the supervisor's answers on a loop of their own,
    beside the triggerer's: answers get mixed up, which ends all triggers. Later versions find the loop by themselves,
    and elsewhere than in a triggerer there is none.
    """
    comms = getattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS", None)
    reader = getattr(comms, "_async_reader", None)
    if reader is None or hasattr(comms, "start_reader"):
        return
    from asgiref.sync import SyncToAsync

    SyncToAsync.threadlocal.main_event_loop = reader._loop
    SyncToAsync.threadlocal.main_event_loop_pid = os.getpid()
