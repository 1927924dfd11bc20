"""Two calls through each shared store: for ``airflow dags test`` and, as a program, for ``dag.test()``."""

import pendulum
from airflow.providers.common.compat.sdk import dag

from candid_provider.operators.candid import CandidOperator


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
def candid_shared_token() -> None:
    for store in ("variable", "xcom"):
        for number in range(2):
            CandidOperator(
                task_id=f"{store}_{number}",
                candid_conn_id=f"candid_{store}",
                path="/api/payers/v4",
                response_filter=lambda answer: len(answer["items"]),
            )


shared_token = candid_shared_token()

if __name__ == "__main__":
    shared_token.test()
