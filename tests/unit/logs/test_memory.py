"""A long log takes no more memory than a short one. (`tests/benchmarks/log_memory.py` reads gigabytes.)"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "log_memory.py"


@pytest.mark.parametrize(
    ("kind", "megabytes", "most_mib", "most_state"),
    [
        ("mixed", 12, 8, 100_000),
        ("one line", 60, 8, 500_000),
        ("redrawn bars", 8, 8, 100_000),
        ("frames", 6, 16, 4_000_000),
        ("wide frames", 30, 24, 8_000_000),
        ("exception text", 3, 16, 4_000_000),
    ],
)
def test_a_long_log_costs_no_memory(kind: str, megabytes: int, most_mib: float, most_state: int) -> None:
    """Far less than what was read; each kind in a process of its own."""
    command = [sys.executable, str(BENCHMARK), "--mb", str(megabytes), "--here", kind]
    shown = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=120).stdout)
    assert shown["mb"] >= megabytes
    assert shown["rss_peak"] - shown["rss_before"] < most_mib
    assert 0 < shown["state_bytes"] < most_state
