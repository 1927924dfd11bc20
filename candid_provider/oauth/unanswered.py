"""Why a request got no answer, in words that lead to the fix."""

from __future__ import annotations

import ssl

import httpx


def explain(error: httpx.HTTPError) -> str:
    """Say what to check, without the URL, whose path may name a person."""
    kind = type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"TLS: {cause.verify_message}; trust the server's authority with SSL_CERT_FILE, or check the host"
        if isinstance(cause, ssl.SSLError):
            return f"TLS: {cause.reason or kind}; check the connection's host, schema and port"
        cause = cause.__cause__ or cause.__context__
    return f"{kind}; check the network and the connection's host"
