"""Ratios measured in one run, variants alternating; `make bench` prints them as a table.

Seconds are the CPU's, on one thread: another job on the machine costs less truth that way.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import cv2
import pytest
import torch

LINES = pytest.StashKey[list[tuple[str, ...]]]()
HEADINGS = ("what", "measured", "against", "ratio", "wanted")


def _alternate(variants: Mapping[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median CPU seconds of each variant; all are called once before, then in turning order."""
    names, seconds = list(variants), {name: [] for name in variants}
    for variant in variants.values():
        variant()
    for turn in range(rounds):
        for name in names if turn % 2 else reversed(names):
            start = time.process_time()
            variants[name]()
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def alternate():
    """`alternate({name: call}, rounds)`: median CPU seconds by name."""
    return _alternate


@pytest.fixture
def line(request):
    """`line(what, measured, against, ratio, wanted)`: a line of the table."""
    return request.config.stash.setdefault(LINES, []).append


def pytest_terminal_summary(terminalreporter):
    lines = terminalreporter.config.stash.get(LINES, [])
    if not lines:
        return
    table = [HEADINGS, *lines]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(HEADINGS))]
    terminalreporter.section("CPU seconds, one thread, medians")
    for cells in table:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        terminalreporter.write_line(" | ".join(padded).rstrip())
