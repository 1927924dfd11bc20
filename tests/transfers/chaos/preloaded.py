"""What the parent of all processes does before it has any, so that they need not: import, and look."""

import os

from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.common.compat.sdk import ObjectStoragePath

import tests.transfers.chaos.child  # noqa: F401 - imported for children to find
from candid_provider.api.client import tls_context
from candid_provider.hooks.candid import CandidHook

tls_context()
get_hook_lineage_collector()  # type: ignore[no-untyped-call]
# The first connection to be read brings in the secrets backends.
os.environ["AIRFLOW_CONN_CANDID_NONE"] = "candid://"
CandidHook.get_connection("candid_none")
# The first path brings in all providers' file systems.
_ = ObjectStoragePath("file:///").fs
