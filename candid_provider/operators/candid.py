"""One API call as a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.api.routes import route_of
from candid_provider.exceptions import CandidConfigError
from candid_provider.get_provider_info import DEFAULT_CONN_ID
from candid_provider.operators.connected import Connected
from candid_provider.operators.private import Private, RendersPrivately, json_at, names, nothing
from candid_provider.transfers.output.whole_file import whole_file

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class CandidOperator(RendersPrivately, Connected):
    """Send one request to Candid Health.

    The answer goes to ``output_path``, or through ``response_filter`` to XCom; otherwise the task returns a
    summary. Nothing of the request or the answer is logged or kept in the metadata database.

    :param path: path relative to the connection's environment, such as ``/api/encounters/v4/{encounter_id}``.
    :param method: HTTP method.
    :param path_params: values of the path's placeholders; quoted.
    :param query: query parameters. (Airflow keeps ``params`` for itself: a DAG's params would be sent.)
    :param json: request body. Patients' data comes from ``body_path`` instead, which keeps it out of the DAG.
    :param body_path: file, on any object storage, that holds the request body as JSON.
    :param read_only: sending it twice does no harm, so that it is sent again, by this try and the next, when its
        fate is unknown; by default what GET and HEAD are. Another request of unknown fate fails the task for good.
    :param response_filter: turns the parsed answer into what the task returns. It is stored in XCom in clear:
        return ids and counts.
    :param output_path: file, on any object storage, to which the answer is written, whole or not at all.
    :param candid_conn_id: id of a connection of type ``candid``.
    :returns: what ``response_filter`` returns, or ``{"route", "bytes", "path"}``.
    :raises AirflowFailException: a retry cannot help: wrong arguments, wrong credentials, a 4xx answer, a write that
        may have been carried out.
    :raises CandidError: a retry may help.
    """

    template_fields: Sequence[str] = (
        "candid_conn_id",
        "path",
        "path_params",
        "query",
        "json",
        "body_path",
        "output_path",
    )

    def __init__(
        self,
        *,
        path: str,
        method: str = "GET",
        path_params: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
        body_path: str | ObjectStoragePath | None = None,
        read_only: bool | None = None,
        response_filter: Callable[[Any], Any] | None = None,
        output_path: str | ObjectStoragePath | None = None,
        candid_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.method = method
        self.path = Private(self, path, route_of)
        self.path_params = Private(self, path_params, names)
        self.query = Private(self, query, names)
        self.json = Private(self, json, nothing)
        self.body_path = body_path
        self.read_only = read_only
        self.response_filter = response_filter
        self.output_path = output_path
        self.candid_conn_id = candid_conn_id

    def execute(self, context: Context) -> Any:
        """Send the request and put its answer where it belongs."""
        from candid_provider.api.call import Call, send_bytes
        from candid_provider.hooks.candid import failing_for_good

        with failing_for_good(), self.hook as hook:
            call = Call(
                method=self.method,
                path=self.path.value,
                path_params=self.path_params.value or {},
                params=self.query.value or {},
                json=self._body(),
                read_only=self.read_only,
            )
            if self.output_path:
                with whole_file(self.output_path, field="output_path") as file:
                    content = send_bytes(hook.get_conn(), call)
                    file.write(content)
            else:
                content = send_bytes(hook.get_conn(), call)
            if self.response_filter:
                return self.response_filter(msgspec.json.decode(content) if content.strip() else None)
        return {
            "route": call.route,
            "bytes": len(content),
            "path": str(self.output_path) if self.output_path else None,
        }

    def _body(self) -> Any:
        if self.body_path is None:
            return self.json.value
        if self.json.value is not None:
            raise CandidConfigError("json and body_path are both set. Set one of them", field="body_path")
        return json_at(self.body_path, "body_path")
