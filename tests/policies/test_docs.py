"""What the guide shows of tasks that fail well."""

from __future__ import annotations

import re
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG

from candid_provider.policies.task_policy import CandidRetryPolicy
from tests.conftest import REPOSITORY, Connect


def test_the_tasks_of_the_guide_have_what_it_says(connect: Connect) -> None:
    guide = (REPOSITORY / "docs" / "waiting.md").read_text().partition("## When something fails")[2]
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", guide, re.DOTALL | re.MULTILINE):
        exec(block, names)
    with DAG("guide", start_date=pendulum.datetime(2026, 1, 1)):
        policies = [names[name]().operator.retry_policy for name in ("count_payers", "count_tags")]
    assert isinstance(policies[0], CandidRetryPolicy)
    assert policies[1] is None
    assert names["count_payers"].function() > 0
    assert names["count_tags"].function() > 0
