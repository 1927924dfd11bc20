"""``candid token``: look at the shared token, replace it, or forget it; never show it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from candid_provider.cli.server import NoSuchConnection, server_hook

if TYPE_CHECKING:
    from candid_provider.hooks.candid import CandidHook

ACTIONS = {
    "status": "say how old the shared token is, how long it lives, who minted it, and who holds others back",
    "refresh": "mint a new token and share it in place of the old one",
    "forget": "empty the store; the next task mints",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = "\n".join(f"{name:8} {text}" for name, text in ACTIONS.items())
    parser.add_argument("action", choices=ACTIONS, metavar="status|refresh|forget")
    parser.add_argument("conn_id", nargs="?", default="candid_default", help="connection id (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Carry the action out; 0 when it worked."""
    from candid_provider.exceptions import CandidError
    from candid_provider.oauth.store import StoreUnavailable

    try:
        print(_ACT[options.action](server_hook(options.conn_id)))
    except (NoSuchConnection, CandidError, StoreUnavailable) as error:
        print(error)
        return 1
    return 0


def _status(hook: CandidHook) -> str:
    return "\n".join(f"{topic:12} {text}" for topic, text in hook.token_state().lines.items())


def _refresh(hook: CandidHook) -> str:
    return f"{'token':12} {hook.refresh_token()}, minted now\n{_status(hook)}"


def _forget(hook: CandidHook) -> str:
    hook.forget_token()
    return _status(hook)


_ACT = {"status": _status, "refresh": _refresh, "forget": _forget}
