"""What is measured."""

import dataclasses
import heapq
import random

UNKNOWING = "it takes no part in this one"


@dataclasses.dataclass
class Workload:
    name: str
    title: str
    threads: int
    requests: int
    quick: int
    # Lines of a file of jobs, from the servers and whether little is asked for.
    jobs: object
    is_tls: bool = False
    mode: str = "memory"
    close: bool = False
    rounds: int = 5
    # Client -> why it takes no part.
    left_out: dict = dataclasses.field(default_factory=dict)
    # Seconds that no client can be faster than, from the jobs and their number.
    ideal: object = None
    # Played by the origins, which count, and not by nginx.
    by_origins: bool = False

    def __post_init__(self):
        floor = self.floor
        self.left_out.setdefault("raw" if floor == "raw_tls" else "raw_tls", "the floor of the others")
        if self.name != "W4.mem":
            self.left_out.setdefault("pool_recycle", "the same as pool where bodies are small")

    @property
    def floor(self):
        return "raw_tls" if self.is_tls else "raw"

    def amount(self, is_quick):
        return self.quick if is_quick else self.requests


def file(name, is_tls=False):
    return lambda servers, _: [servers.file(name, is_tls)]


def shuffled(servers, _):
    """40 jobs for each origin, in an order that is always the same."""
    jobs = ["%s/1024/0 1024 1024" % origin for origin in servers.tls_origins for _ in range(40)]
    random.Random(9).shuffle(jobs)
    return jobs


ALL = [
    Workload("W1.c16", "1 KiB, keep-alive, 16 at a time", 16, 20_000, 2_000, file("1k")),
    Workload("W1.c64", "1 KiB, keep-alive, 64 at a time", 64, 20_000, 2_000, file("1k")),
    Workload("W2.c16", "1 KiB over TLS, keep-alive, 16 at a time", 16, 15_000, 1_500, file("1k", True), True),
    Workload("W9", "2,000 over TLS, 50 origins, shuffled, 16 at a time", 16, 2_000, 2_000, shuffled, True,
             by_origins=True),
]


def chosen(only):
    if not only:
        return ALL
    found = [workload for workload in ALL if any(workload.name.startswith(name) for name in only)]
    if not found:
        raise SystemExit("no such workload; there are %s" % ", ".join(each.name for each in ALL))
    return found
