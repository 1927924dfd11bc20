"""A process of its own, as every Airflow task is: ``python -m tests.oauth.task DIRECTORY TOKEN_URL SECRET``.

It says "ready", and for each line it reads it asks for a token, other than the bearer on the line if there is
one, and answers with the bearer or the error's name. Its log goes to standard error.
"""

from __future__ import annotations

import logging
import sys

from candid_provider.exceptions import CandidError
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import FileTokenStore


def main(directory: str, url: str, secret: str) -> None:
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    source = TokenSource(ClientCredentials("emulator", secret, url), FileTokenStore(directory), deadline=20)
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            print(source.token(refused=line.strip() or None).value, flush=True)
        except CandidError as error:
            print(type(error).__name__, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
