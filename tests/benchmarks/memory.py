"""How much memory a process takes."""

from __future__ import annotations

from pathlib import Path

import psutil


def forget_peak() -> float:
    """Have Linux forget how much memory this process once had, and say how much it has now, in megabytes."""
    if (clear := Path("/proc/self/clear_refs")).exists():
        clear.write_text("5")
    return float(psutil.Process().memory_info().rss) / 1e6
