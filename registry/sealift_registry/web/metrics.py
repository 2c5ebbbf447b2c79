"""What the server counts, in Prometheus' text format; named by its conventions.

Each process counts its own: several behind a proxy are several targets to be scraped.
"""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

MEDIA_TYPE = "text/plain; version=0.0.4"
BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Seconds: the upper bounds of the histogram's buckets."""

Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels, float]


@dataclass
class _Durations:
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0


class Metrics:
    """Counts of one process, from its start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._durations: dict[tuple[str, str], _Durations] = defaultdict(_Durations)
        self._running = 0
        self._sent = 0
        self._started = time.time()

    def begun(self) -> None:
        """A request came."""
        with self._lock:
            self._running += 1

    def ended(self, method: str, route: str, status: int, seconds: float, sent: int) -> None:
        """It was answered: `route` as it is declared, never what somebody typed."""
        with self._lock:
            self._running -= 1
            self._sent += sent
            self._requests[method, route, status] += 1
            durations = self._durations[method, route]
            durations.buckets[bisect_left(BOUNDS, seconds)] += 1
            durations.seconds += seconds

    def text(self, gauges: Mapping[str, tuple[str, float]], version: str) -> str:
        """All of it; `gauges` are of the hub as it is now, each with what it means."""
        with self._lock:
            families = [*self._families()]
        families += [
            (name, "gauge", meaning, [(name, (), value)])
            for name, (meaning, value) in gauges.items()
        ]
        families += _process(self._started, version)
        return "".join(_family(*one) for one in families)

    def _families(self) -> Iterator[tuple[str, str, str, list[Sample]]]:
        name = "sealift_http_requests_total"
        requests: list[Sample] = [
            (name, (("method", method), ("route", route), ("status", str(status))), count)
            for (method, route, status), count in sorted(self._requests.items())
        ]
        yield name, "counter", "Requests that were answered.", requests
        name = "sealift_http_request_duration_seconds"
        durations = [
            sample
            for key, one in sorted(self._durations.items())
            for sample in _histogram(name, (("method", key[0]), ("route", key[1])), one)
        ]
        yield name, "histogram", "How long answering them took.", durations
        name = "sealift_http_requests_running"
        yield name, "gauge", "Requests that are being answered.", [(name, (), self._running)]
        name = "sealift_http_sent_bytes_total"
        yield name, "counter", "Bytes of the bodies of answers.", [(name, (), self._sent)]


def _histogram(name: str, labels: Labels, one: _Durations) -> Iterator[Sample]:
    bounds = [*map(repr, BOUNDS), "+Inf"]
    for bound, count in zip(bounds, accumulate(one.buckets), strict=True):
        yield f"{name}_bucket", (*labels, ("le", bound)), count
    yield f"{name}_sum", labels, one.seconds
    yield f"{name}_count", labels, sum(one.buckets)


def _process(started: float, version: str) -> Iterable[tuple[str, str, str, list[Sample]]]:
    name = "process_start_time_seconds"
    yield name, "gauge", "When the process was started.", [(name, (), started)]
    pages = 0.0
    with suppress(OSError, ValueError, IndexError):  # elsewhere than on Linux there is none
        pages = float(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    if pages:
        name = "process_resident_memory_bytes"
        size = pages * os.sysconf("SC_PAGE_SIZE")
        yield name, "gauge", "Memory that it holds.", [(name, (), size)]
    name = "sealift_build_info"
    yield name, "gauge", "The software.", [(name, (("version", version),), 1)]


def _family(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {meaning}\n", f"# TYPE {name} {kind}\n"]
    lines += [f"{one}{_labels(labels)} {_number(value)}\n" for one, labels, value in samples]
    return "".join(lines)


def _labels(labels: Labels) -> str:
    said = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{said}}}" if said else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
