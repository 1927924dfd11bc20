"""What the parent of all processes does before it has any, so that they need not: import, migrate, look."""

from airflow import settings
from airflow.utils import db  # noqa: TID251 - the database itself, as `airflow db migrate` makes it

import tests.processes.stores
import tests.processes.task  # noqa: F401 - imported for children to find
from candid_provider.token_stores.variable import VariableTokenStore

db.initdb()
VariableTokenStore().save("candid_token__none", "")  # the first use imports all of Airflow's models
VariableTokenStore().load("candid_token__none")
assert settings.engine
settings.engine.dispose()
