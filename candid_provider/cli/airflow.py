"""The commands as ``airflow candid ...`` (Airflow 3.2 and later)."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command

from candid_provider.cli.token import ACTIONS

CONN_ID = Arg(  # type: ignore[no-untyped-call]  # Airflow's has no annotations
    ("conn_id",), nargs="?", default="candid_default", help="connection id"
)


def get_commands() -> list[CLICommand]:
    """Describe the commands to Airflow, which calls this on each of its own starts."""
    tokens = [
        ActionCommand(name=name, help=text, func=_acting(name), args=(CONN_ID,)) for name, text in ACTIONS.items()
    ]
    check = ActionCommand(
        name="check",
        help="test a connection",
        func=lazy_load_command("candid_provider.cli.check.run"),
        args=(CONN_ID,),
    )
    return [
        GroupCommand(
            name="candid",
            help="Candid Health",
            subcommands=[GroupCommand(name="token", help="the shared token", subcommands=tokens), check],
        )
    ]


def _acting(action: str) -> Callable[[argparse.Namespace], None]:
    def command(options: argparse.Namespace) -> None:
        from candid_provider.cli.token import run

        code = run(argparse.Namespace(action=action, conn_id=options.conn_id))
        if code:
            raise SystemExit(code)

    return command
