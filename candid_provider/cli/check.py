"""``candid check``: test a connection where Airflow's Test button is off, which it is by default."""

from __future__ import annotations

import argparse

from candid_provider.cli.server import NoSuchConnection, server_hook


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("conn_id", nargs="?", default="candid_default", help="connection id (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Test the connection; 0 when Candid accepted it."""
    try:
        accepted, message = server_hook(options.conn_id).test_connection()
    except NoSuchConnection as error:
        print(error)
        return 1
    print(f"{options.conn_id}: {message}")
    return 0 if accepted else 1
