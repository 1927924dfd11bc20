"""The ``candid`` command."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    "demo": "run the main job in a real Airflow against the emulator, and check it",
    "emulator": "serve a stand-in for the Candid API on this machine",
    "resources": "list what can be extracted: names, routes, keys, change feeds",
    "token": "look at the shared token, replace it, or forget it",
    "check": "test a connection: credentials, network, environment",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code.

    :param argv: arguments without the program's name; by default those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="candid", description="Candid Health for Apache Airflow.")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if arguments[:1] == [name]:
            # Each command's module is imported for that command only: the demo's pulls in a lot.
            module = importlib.import_module(f"candid_provider.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    code: int = options.run(options)
    return code
