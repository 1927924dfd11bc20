"""Listings that lead in a circle."""

from __future__ import annotations

from candid_provider.api.call import Call
from candid_provider.exceptions import CandidUnavailableError


class Circle:
    """Notice a listing that leads in a circle, in constant memory (Brent's way: a landmark that moves ever farther).

    :raises CandidUnavailableError: the server gave a page token again.
    """

    def __init__(self) -> None:
        self._landmark, self._steps, self._lap = "", 0, 1

    def check(self, call: Call | None) -> None:
        """Look at the call for the next page."""
        position = call.paging.position(call) if call and call.paging else ""
        if not position:
            return
        if position == self._landmark:
            raise CandidUnavailableError(
                "the listing leads in a circle: Candid gave the same page token twice",
                route=call.route if call else None,
                retryable=False,
            )
        self._steps += 1
        if self._steps == self._lap:
            self._landmark, self._steps, self._lap = position, 0, self._lap * 2
