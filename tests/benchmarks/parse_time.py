"""What importing our operators adds to parsing a DAG file: ``python -m tests.benchmarks.parse_time``.

Each round starts two fresh processes, one that imports Airflow's ``BaseOperator`` alone and one that imports our
operators after it; both measure in the process, so that the start of the interpreter does not count.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

BASE = "from airflow.sdk import BaseOperator"
OURS = "import candid_provider.operators.candid"
CODE = """
import time
start = time.perf_counter()
{base}
middle = time.perf_counter()
{ours}
print(middle - start, time.perf_counter() - middle)
"""


def measure() -> tuple[float, float]:
    """Give the milliseconds of the base import and of ours, in one process."""
    code = CODE.format(base=BASE, ours=OURS)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    base, ours = (float(word) * 1000 for word in done.stdout.split())
    return base, ours


def main() -> None:
    """Print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = [measure() for _ in range(parser.parse_args().rounds)]
    base = statistics.median(base for base, _ in rounds)
    ours = statistics.median(ours for _, ours in rounds)
    print(f"{BASE}: {base:.0f} ms (median of {len(rounds)})")
    print(f"{OURS}: +{ours:.1f} ms, {ours / base:.1%} of it")


if __name__ == "__main__":
    main()
