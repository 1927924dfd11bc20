"""``candid emulator``: serve a stand-in for the Candid API."""

from __future__ import annotations

import argparse
import sys

from candid_provider import emulator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    emulator.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    try:
        return emulator.run(options)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn"):
            raise
        print(
            "the emulator needs starlette and uvicorn: pip install 'airflow-provider-candid[emulator]'",
            file=sys.stderr,
        )
        return 1
