"""What is measured."""

import dataclasses
import heapq
import random

from . import clients

KEEPS_NONE = "it keeps no connections: W3 and W8 are where it belongs"
DECODES_NONE = "it undoes no codings"
SELECTS = "it waits by `select`, which knows no descriptor past 1,023"


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
    # Seconds that no client can be faster than, from the workload, the jobs and the requests.
    ideal: object = None
    # Played by the origins, which count, and not by nginx.
    by_origins: bool = False
    # The peak is what counts.
    of_memory: bool = False

    def __post_init__(self):
        self.left_out = dict(self.left_out)
        other_floor = "raw" if self.is_tls else "raw_tls"
        self.left_out[other_floor] = None
        if not self.is_tls:
            self.left_out |= dict.fromkeys(clients.ONLY_TLS)
        if self.name != "W4.mem":
            self.left_out["pool_taken"] = None

    @property
    def floor(self):
        return "raw_tls" if self.is_tls else "raw"

    @property
    def counts_handshakes(self):
        return self.is_tls and self.by_origins

    def amount(self, is_quick):
        return self.quick if is_quick else self.requests

    def who(self, present):
        return [client for client in present if client not in self.left_out]


def file(name, is_tls=False):
    return lambda servers, _: [servers.file(name, is_tls)]


def delayed(milliseconds):
    return lambda servers, _: ["%s/1024/%d 1024 1024" % (servers.plain_origins[0], milliseconds)]


def shuffled(servers, _):
    """40 jobs for each origin, in an order that is always the same."""
    jobs = ["%s/1024/0 1024 1024" % origin for origin in servers.tls_origins for _ in range(40)]
    random.Random(9).shuffle(jobs)
    return jobs


def mixed(servers, is_quick):
    """Sizes of which most are small, and delays of which all are as likely."""
    dice, jobs = random.Random(10), []
    for _ in range(300 if is_quick else 3_000):
        size = round(200 * 10_485 ** (dice.random() ** 4))
        origin = servers.plain_origins[dice.randrange(10)]
        jobs.append("%s/%d/%d %d %d" % (origin, size, dice.randrange(31), size, size))
    return jobs


def delays_alone(workload, lines, requests):
    """What the delays take, dealt in order to so many at a time."""
    busy_until = [0] * workload.threads
    for index in range(requests):
        delay = int(lines[index % len(lines)].split()[0].rsplit("/", 1)[1])
        heapq.heapreplace(busy_until, busy_until[0] + delay)
    return max(busy_until) / 1e3


ALL = [
    Workload("W1.c16", "1 KiB, keep-alive, 16 at a time", 16, 20_000, 2_000, file("1k")),
    Workload("W1.c64", "1 KiB, keep-alive, 64 at a time", 64, 20_000, 2_000, file("1k")),
    Workload("W2.c16", "1 KiB over TLS, keep-alive, 16 at a time", 16, 15_000, 1_500, file("1k", True),
             is_tls=True, left_out=dict.fromkeys(clients.NO_KEEP_ALIVE, KEEPS_NONE)),
    Workload("W2.c64", "1 KiB over TLS, keep-alive, 64 at a time", 64, 15_000, 1_500, file("1k", True),
             is_tls=True, left_out=dict.fromkeys(clients.NO_KEEP_ALIVE, KEEPS_NONE)),
    Workload("W3", "1 KiB, a new TLS connection each time, 8 at a time", 8, 1_200, 200, file("1k", True),
             is_tls=True, close=True),
    Workload("W4.mem", "64 MiB into memory, 2 at a time", 2, 8, 2, file("64m")),
    Workload("W4.drop", "64 MiB thrown away, 2 at a time", 2, 8, 2, file("64m"), mode="discard"),
    Workload("W4.tls.mem", "64 MiB over TLS into memory, 2 at a time", 2, 8, 2, file("64m", True),
             is_tls=True),
    Workload("W4.tls.drop", "64 MiB over TLS thrown away, 2 at a time", 2, 8, 2, file("64m", True),
             is_tls=True, mode="discard"),
    Workload("W4.100k", "100 KiB, keep-alive, 16 at a time", 16, 10_000, 1_000, file("100k")),
    Workload("W5", "1 MiB of JSON in gzip, 4 at a time", 4, 200, 20, file("json"),
             left_out={"hyper": DECODES_NONE, "minreq": DECODES_NONE}),
    Workload("W6.1k", "1,000 at a time, 200 ms each", 1_000, 5_000, 2_000, delayed(200),
             left_out={"curl": SELECTS} | dict.fromkeys(clients.NO_KEEP_ALIVE, KEEPS_NONE),
             ideal=delays_alone, by_origins=True),
    Workload("W6.10k", "10,000 at a time, 2 s each", 10_000, 20_000, 10_000, delayed(2_000), rounds=3,
             left_out={"curl": SELECTS} | dict.fromkeys(clients.NO_KEEP_ALIVE, KEEPS_NONE),
             ideal=delays_alone, by_origins=True),
    *(
        Workload("W7.%s" % name, "memory for %s requests, 1 KiB, 16 at a time" % said, 16, requests, quick,
                 file("1k"), rounds=1, of_memory=True,
                 left_out=dict.fromkeys(clients.NO_KEEP_ALIVE, KEEPS_NONE))
        for name, said, requests, quick in [
            ("1k", "1,000", 1_000, 100), ("10k", "10,000", 10_000, 1_000),
            ("100k", "100,000", 100_000, 2_000), ("1M", "1,000,000", 1_000_000, 4_000)]
    ),
    Workload("W8", "1 KiB, a new connection each time, 16 at a time", 16, 10_000, 1_000, file("1k"), close=True),
    Workload("W9", "2,000 over TLS, 50 origins, shuffled, 16 at a time", 16, 2_000, 2_000, shuffled,
             is_tls=True, by_origins=True),
    Workload("W10", "3,000, 10 origins, 200 B to 2 MiB, 0 to 30 ms, 32 at a time", 32, 3_000, 300, mixed,
             ideal=delays_alone, by_origins=True),
]


def chosen(only):
    if not only:
        return ALL
    # W1 is not W10.
    found = [each for each in ALL if any((each.name + ".").startswith(name + ".") for name in only)]
    if not found:
        raise SystemExit("no such workload; there are %s" % ", ".join(each.name for each in ALL))
    return found
