"""The end of an extraction: manifest, removal of what it replaces, watermark, in an order that survives a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from candid_provider.api.feeds import Mark
from candid_provider.exceptions import CandidUnavailableError
from candid_provider.transfers.extraction.checkpoint import Checkpoint
from candid_provider.transfers.extraction.checkpoint_store import CheckpointStore
from candid_provider.transfers.extraction.manifest import ExtractManifest
from candid_provider.transfers.extraction.part import Bench
from candid_provider.transfers.extraction.plan import Plan
from candid_provider.transfers.output.manifest import replaced_by, write


@dataclass(frozen=True, slots=True)
class Ending:
    """Say how an extraction ended.

    :param mark: where the next one goes on.
    :param interval: the span it stood for.
    :param detail: route of the details that were written.
    :param save_mark: moves the watermark on.
    """

    mark: Mark | None
    interval: tuple[str, str] | None
    detail: str | None
    save_mark: Callable[[], None]


def publish(plan: Plan, bench: Bench, checkpoint: Checkpoint, store: CheckpointStore, end: Ending) -> ExtractManifest:
    """Make what was written the extract, and forget how it came about.

    A retry may begin at any line again: everything it needs is in the checkpoint, and each line may be done twice.
    """
    if checkpoint.replaces is None:
        checkpoint.replaces = replaced_by(plan.directory, plan.owner)
        store.save(checkpoint)
    manifest = _manifest(plan, checkpoint, end)
    _check_there(plan, checkpoint, store, manifest)
    write(plan.directory, manifest, checkpoint.replaces)
    plan.directory.remove(bench.leftovers(manifest.files))
    end.save_mark()
    store.remove()
    return manifest


def _check_there(plan: Plan, checkpoint: Checkpoint, store: CheckpointStore, manifest: ExtractManifest) -> None:
    """See that nobody has removed a part: another run would, that writes there at the same time elsewhere."""
    sizes, parts = plan.directory.sizes(), [*manifest.parts, *manifest.failure_parts]
    missing = [part.name for part in parts if sizes.get(part.name) != part.bytes]
    if not missing:
        return
    checkpoint.identity = ""  # nothing to go on with
    store.save(checkpoint)
    raise CandidUnavailableError(
        f"{plan.directory.field}: {len(missing)} of {len(parts)} parts are not there any more; a retry begins anew."
        " Give each run a directory of its own: another one seems to have written there at the same time"
    )


def _manifest(plan: Plan, checkpoint: Checkpoint, end: Ending) -> ExtractManifest:
    streams = checkpoint.streams
    counts = [stream.at.counts for stream in streams]
    parts = [part for stream in streams for part in stream.parts]
    return ExtractManifest(
        resource=plan.name,
        route=plan.call.route,
        detail=f"GET {end.detail}" if end.detail else None,
        parameters=plan.parameters,
        interval=end.interval,
        began_at=checkpoint.mark,
        cursor=end.mark,
        format=plan.format_name,
        compression=plan.compression,
        rows=sum(each.rows for each in counts),
        bytes=sum(part.bytes for part in parts),
        pages=sum(each.pages for each in counts),
        deactivated=sum(each.deactivated for each in counts),
        failures=sum(each.failures for each in counts),
        unfit=sum(stream.unfit for stream in streams),
        parts=parts,
        failure_parts=[part for stream in streams for part in stream.failures],
        owner=plan.owner,
        generation=checkpoint.generation,
    )
