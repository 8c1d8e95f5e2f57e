"""From the rounds to tables."""

import json
import statistics

from . import clients, workloads


def line(seen):
    if "error" in seen:
        return "%s failed: %s" % (seen["client"], seen["error"])
    return "%-13s %8.1f us of CPU a request, %8.0f requests/s, %6.1f MiB, %d failed %s" % (
        seen["client"], cpu(seen), seen["ok"] / seen["wall_s"], seen["max_rss_kib"] / 1024,
        seen["failed"], seen["first_error"] or "")


def cpu(seen):
    return (seen["cpu_user_us"] + seen["cpu_sys_us"]) / max(1, seen["ok"])


def speed(seen):
    return seen["ok"] / seen["wall_s"]


def text(rounds):
    about, played = read(rounds)
    parts = [heading(about)]
    for workload in workloads.ALL:
        seen = played.get(workload.name)
        if seen:
            parts.append(table(workload, seen))
    return "\n\n".join(parts)


def read(rounds):
    """What is said of the machine, and workload -> client -> round -> what was seen."""
    about, played = {}, {}
    for entry in map(json.loads, open(rounds)):
        if "machine" in entry:
            about = entry
        else:
            by_client = played.setdefault(entry["workload"], {})
            # A round of an earlier run has the same number, and is another one.
            by_client.setdefault(entry["client"], []).append(entry)
    return about, played


def heading(about):
    machine = about["machine"]
    versions = ", ".join("%s %s" % pair for pair in machine["versions"].items())
    return (
        "%(date)s, commit %(commit)s: %(cpus)d CPUs, %(cpu)s, %(memory_gib)d GiB, Linux %(linux)s, "
        "rustc %(rustc)s, nginx %(nginx)s; " % machine + versions + "."
    )


def table(workload, played):
    good = {client: seen for client, seen in played.items() if all(fine(one) for one in seen)}
    floor = good.get(workload.floor)
    best = best_peer(good)
    head = ["client", "CPU us a request", "spread", "x floor", "x best peer", "requests/s", "p50 ms", "p99 ms",
            "peak MiB", "connections"]
    rows = []
    for client in clients.ALL:
        if client not in good:
            continue
        seen = good[client]
        cpus = [cpu(one) for one in seen]
        middle = statistics.median(cpus)
        rows.append([
            client, "%.1f" % middle, "%.0f %%" % ((max(cpus) - min(cpus)) / middle * 100),
            ratio(seen, floor), ratio(seen, best and good[best]),
            "%.0f" % median(seen, speed), "%.2f" % median(seen, lambda one: one["p50_ms"]),
            "%.2f" % median(seen, lambda one: one["p99_ms"]),
            "%.1f" % median(seen, lambda one: one["max_rss_kib"] / 1024),
            connections(seen),
        ])
    lines = ["### %s: %s" % (workload.name, workload.title), ""]
    lines += ["| %s |" % " | ".join(row) for row in [head, ["---"] + ["---:"] * (len(head) - 1), *rows]]
    rounds = max((len(seen) for seen in good.values()), default=0)
    others = [one["others_cores"] for seen in good.values() for one in seen]
    if others:
        lines += ["", "Rounds: %d. Meanwhile others used %.2f cores (median)." % (rounds, statistics.median(others))]
    for client, seen in played.items():
        if client not in good:
            lines += ["", "%s failed: %s" % (client, reason(seen))]
    return "\n".join(lines)


def fine(one):
    return "error" not in one and one["failed"] == 0 and one["ok"] > 0


def reason(seen):
    bad = next(one for one in seen if not fine(one))
    return bad.get("error") or "%d of its requests: %s" % (bad["failed"], bad["first_error"])


def best_peer(good):
    peers = [client for client in good if client in clients.PEERS]
    return min(peers, key=lambda client: median(good[client], cpu), default=None)


def median(seen, of):
    return statistics.median(of(one) for one in seen)


def ratio(seen, base):
    """The median of the rounds' own ratios: what a noisy minute did to both is in neither."""
    if not base:
        return "-"
    return "%.2f" % statistics.median(cpu(one) / cpu(other) for one, other in zip(seen, base))


def connections(seen):
    known = [one["connections"] for one in seen if one["connections"] is not None]
    return "%.0f" % statistics.median(known) if known else "-"


def write(rounds, here):
    (here / "results.md").write_text(text(rounds) + "\n")
