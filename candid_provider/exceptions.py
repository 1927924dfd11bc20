"""Every error this package raises.

CandidError
├── CandidConfigError (also a ValueError)   a connection field or an argument is wrong
├── CandidAuthError                         the credentials, or a token minted a moment ago, were refused
├── CandidRequestError                      the API answered 4xx
│   ├── CandidNotFoundError                 404
│   ├── CandidConflictError                 409, or 422 because an external id is taken
│   └── CandidRateLimitError                429
├── CandidUnavailableError                  timeout, broken connection, 5xx, unreadable answer
└── CandidJobFailedError                    remote work ended badly, or its end could not be read

No message, attribute or cause of these holds a query, a request body, a response body, a secret or a
token, so all of them may be logged. All of them pickle.
"""

from __future__ import annotations


class CandidError(Exception):
    """Catch anything this package raises.

    :param message: what happened and the next step; safe to log.
    """

    retryable: bool = False
    """Whether the same call can succeed later without anybody changing anything."""


class CandidConfigError(CandidError, ValueError):
    """Say which connection field or argument is wrong and how to mend it, never its value.

    :param message: the problem and the fix, beginning with the field's name.
    :param field: the name of the field or argument.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class CandidAuthError(CandidError):
    """Say that Candid refused the credentials, or refused a token that was minted a moment ago."""


class CandidRequestError(CandidError):
    """Say that the API refused a request (HTTP 4xx), by its own error name.

    :param message: status, error name, route template and field names.
    :param status_code: HTTP status.
    :param error_name: ``errorName`` of the answer, when it has one.
    :param error_instance_id: ``errorInstanceId``, the id that Candid's support asks for.
    :param route: method and route template, such as ``GET /api/encounters/v4/{encounter_id}``.
    :param fields: names of the refused fields, never their values.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        error_name: str | None = None,
        error_instance_id: str | None = None,
        route: str | None = None,
        fields: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.error_name = error_name
        self.error_instance_id = error_instance_id
        self.route = route
        self.fields = fields


class CandidNotFoundError(CandidRequestError):
    """Say that there is no such record (HTTP 404)."""


class CandidConflictError(CandidRequestError):
    """Say that the record exists already or has changed since it was read (HTTP 409, or 422 for external ids)."""


class CandidRateLimitError(CandidRequestError):
    """Say that Candid asks to slow down (HTTP 429), at the API or at the token endpoint.

    :param retry_after: seconds after which a new attempt makes sense, when known.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        route: str | None = None,
        error_name: str | None = None,
        error_instance_id: str | None = None,
    ) -> None:
        super().__init__(
            message, status_code=429, route=route, error_name=error_name, error_instance_id=error_instance_id
        )
        self.retry_after = retry_after


class CandidUnavailableError(CandidError):
    """Say that no usable answer came: timeout, broken connection, HTTP 5xx, unreadable answer.

    :param outcome_unknown: a write was sent and may have been carried out; look it up before sending it again.
    :param route: method and route template.
    :param status_code: HTTP status, if there was an answer.
    :param error_name: ``errorName`` of the answer, when it has one.
    :param retry_after: seconds the server asked to wait, when it did.
    :param retryable: False where waiting cannot help.
    """

    def __init__(
        self,
        message: str,
        *,
        outcome_unknown: bool = False,
        route: str | None = None,
        status_code: int | None = None,
        error_name: str | None = None,
        retry_after: float | None = None,
        retryable: bool = True,
    ) -> None:
        super().__init__(message)
        self.outcome_unknown = outcome_unknown
        self.route = route
        self.status_code = status_code
        self.error_name = error_name
        self.retry_after = retry_after
        self.retryable = retryable


class CandidJobFailedError(CandidError):
    """Say that work at Candid ended badly, or that the event which should tell its end is missing or unknown."""


def signs_of(error: CandidError) -> set[str | int]:
    """Give what conditions can tell an error by: its name at Candid and its HTTP status, if it has them."""
    signs = (getattr(error, "error_name", None), getattr(error, "status_code", None))
    return {sign for sign in signs if sign is not None}
