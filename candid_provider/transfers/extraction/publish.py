"""The end of an extraction: manifest, removal of what it replaces, watermark, in an order that survives a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from candid_provider.transfers.extraction.checkpoint import Checkpoint, CheckpointStore
from candid_provider.transfers.extraction.manifest import Manifest, replaced_by, write
from candid_provider.transfers.extraction.part import Bench
from candid_provider.transfers.extraction.plan import Plan


def publish(
    plan: Plan,
    bench: Bench,
    checkpoint: Checkpoint,
    store: CheckpointStore,
    *,
    mark: Any,
    interval: list[str] | None,
    save_mark: Callable[[], None],
) -> Manifest:
    """Make what was written the extract, and forget how it came about.

    A retry may begin at any line again: everything it needs is in the checkpoint, and each line may be done twice.

    :param save_mark: moves the watermark on.
    """
    if checkpoint.replaces is None:
        checkpoint.replaces = replaced_by(plan.directory, plan.owner)
        store.save(checkpoint)
    manifest = _manifest(plan, checkpoint, mark, interval)
    ours = {part.name for part in (*manifest.parts, *manifest.failure_parts)}
    write(plan.directory, manifest)
    plan.directory.remove(name for name in checkpoint.replaces if name not in ours)
    plan.directory.remove(bench.leftovers(ours))
    save_mark()
    store.remove()
    return manifest


def _manifest(plan: Plan, checkpoint: Checkpoint, mark: Any, interval: list[str] | None) -> Manifest:
    streams = checkpoint.streams
    counts = [stream.at.counts for stream in streams]
    parts = [part for stream in streams for part in stream.parts]
    return Manifest(
        resource=plan.name,
        route=plan.call.route,
        detail=f"GET {plan.detail}" if plan.detail else None,
        parameters=plan.parameters,
        interval=interval,
        began_at=checkpoint.mark,
        cursor=mark,
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
