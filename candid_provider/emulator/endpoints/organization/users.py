"""Machine users, who can sign in with what they are given, and what the caller may do.

Candid: /api/users/v2/m2m/client and /api/enterprise-config/v1.
"""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, missing
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.given import check, is_filled
from candid_provider.emulator.records.collection import Kind, Record

MACHINES: Final = Kind("machine_user", "client_id", unique="name")
MOST: Final = 10


@answers("users.v_2.create_m_2_m_user_v_2")
def create_machine_user(asked: Asked) -> Record:
    state, machines = asked.state, asked.state.of(MACHINES)
    body = asked.body
    check(asked, {"name": is_filled})
    if body["organization_id"].lower() != state.organization.id:
        raise missing(asked.endpoint, body["organization_id"])
    if machines.holder(body["name"]) is not None:
        raise declared(asked.endpoint, "EntityConflictError", {"entity_name": "m2m user"})
    if len(machines) >= MOST:
        content = {"message": "the organization has as many m2m users as it may have", "limit": MOST}
        raise declared(asked.endpoint, "M2MUserLimitReachedHttpError", content)
    client_id, number = machines.new_id(), len(machines)
    state.clients[client_id] = f"emulated-secret-{state.world.ids.draw('machine_secret', number):016x}"
    machines.add({"client_id": client_id, "name": body["name"]})
    return {
        "client_id": client_id,
        "client_secret": state.clients[client_id],
        "created_at": state.now(),
        "created_by": state.organization.user_id,
        "auth0_user_id": f"{client_id}@clients",
    }


@answers("enterprise_config.v_1.get")
def get_permissions(_: Asked) -> Record:
    return {"write_queues": True, "write_rules": True, "write_cross_customer_rules": False}
