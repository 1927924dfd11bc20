"""Files of a provider, one of each type (Candid: /api/organization-providers/v3/…/attachments)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.encounters.inside_encounters import author
from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.organization.organization_providers import provider_of, required
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import error
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Kind, Record

ATTACHMENTS: Final = Kind("provider_attachment", "provider_attachment_id")


def _of(asked: Asked, provider: Record) -> list[Record]:
    wanted = provider["organization_provider_id"]
    return [record for record in asked.state.of(ATTACHMENTS) if record["organization_provider_id"] == wanted]


@answers("organization_providers.v_3.list_attachments")
def list_attachments(asked: Asked) -> list[Record]:
    return _of(asked, provider_of(asked))


@answers("organization_providers.v_3.upload_attachment")
def upload(asked: Asked) -> str:
    provider, state, body = provider_of(asked), asked.state, asked.body
    if any(record["file_type"] == body["file_type"] for record in _of(asked, provider)):
        raise error(409, "EntityConflictError", {"entity_name": "provider attachment"})
    attachments, file = state.of(ATTACHMENTS), body["attachment_file"]
    record = {
        "provider_attachment_id": attachments.new_id(),
        "organization_provider_id": provider["organization_provider_id"],
        "file_name": file.filename,
        "file_type": body["file_type"],
        "description": "",
        "content_type": file.content_type,
        "created_at": state.now(),
        "created_by": author(state),
    }
    state.files.keep(record["provider_attachment_id"], file.content)
    identifier: str = attachments.add(record)["provider_attachment_id"]
    return identifier


def _found(asked: Asked, identifier: str) -> Record:
    return found(asked, ATTACHMENTS, identifier)


@answers("organization_providers.v_3.download_attachment")
def download(asked: Asked) -> Record:
    record, files = _found(asked, required(asked, "attachment_id")), asked.state.files
    content = files.kept(record["provider_attachment_id"])
    return {"signed_download_url": files.url(record["file_name"], content, record["content_type"])[0]}


@answers("organization_providers.v_3.delete_attachment")
def delete(asked: Asked) -> None:
    record = _found(asked, asked.id)
    asked.state.of(ATTACHMENTS).remove(record["provider_attachment_id"])
    asked.state.files.drop(record["provider_attachment_id"])
