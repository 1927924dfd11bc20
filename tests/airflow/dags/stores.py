"""The Variable store, tried from inside tasks."""

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import Variable, dag, task


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
def candid_variable_store() -> None:
    @task
    def save_and_load() -> dict[str, Any]:
        from candid_provider.token_stores.variable import VariableTokenStore

        store = VariableTokenStore()
        missing = store.load("candid_token__none")
        store.save("candid_token__some", "first")
        store.save("candid_token__some", "second")
        return {"missing": missing, "loaded": store.load("candid_token__some")}

    @task
    def load_elsewhere() -> Any:
        from candid_provider.token_stores.variable import VariableTokenStore

        return VariableTokenStore().load("candid_token__some")

    save_and_load() >> load_elsewhere()


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
def candid_overwritten_token() -> None:
    @task
    def work_although_the_ui_saved_asterisks() -> int:
        from candid_provider.hooks.candid import CandidHook

        with CandidHook() as hook:
            hook.get_token()
            register = hook._settings.credentials.token_register
            Variable.set(register, "***")
        return len(hook.request("GET", "/api/payers/v4", params={"limit": 3})["items"])

    @task
    def work_in_another_process() -> int:
        from candid_provider.hooks.candid import CandidHook

        with CandidHook() as hook:
            return len(hook.request("GET", "/api/payers/v4", params={"limit": 3})["items"])

    work_although_the_ui_saved_asterisks() >> work_in_another_process()


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
def candid_shared_by_xcom() -> None:
    @task
    def root() -> list[int]:
        return list(range(8))

    @task
    def call(number: int) -> str:
        from candid_provider.hooks.candid import CandidHook

        with CandidHook("candid_xcom") as hook:
            hook.request("GET", "/api/payers/v4", params={"limit": 1})
            token = hook.token_state().token
        return token.hash if token else "none"

    call.expand(number=root())


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
def candid_async_task() -> None:
    @task
    def gather() -> int:
        import asyncio

        from candid_provider.api.call import Call
        from candid_provider.hooks.candid import CandidHook

        async def ask() -> int:
            hook = CandidHook()
            call = Call(method="GET", path="/api/payers/v4", params={"limit": 2})
            answers = await asyncio.gather(*(hook.asend(call) for _ in range(20)))
            return sum(len(answer["items"]) for answer in answers)

        return asyncio.run(ask())

    gather()


candid_variable_store()
candid_overwritten_token()
candid_async_task()
candid_shared_by_xcom()
