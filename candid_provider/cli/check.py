"""``candid check``: test a connection where Airflow's Test button is off, which it is by default."""

from __future__ import annotations

import argparse
import os


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("conn_id", nargs="?", default="candid_default", help="connection id (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Test the connection; 0 when Candid accepted it."""
    # Outside a task, Airflow 3 looks connections up in the database only in this context.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from candid_provider.hooks.candid import CandidHook

    try:
        accepted, message = CandidHook(options.conn_id).test_connection()
    except AirflowNotFoundException:
        accepted, message = False, "there is no such connection; add it in Airflow, or set AIRFLOW_CONN_..."
    print(f"{options.conn_id}: {message}")
    return 0 if accepted else 1
