"""From the rounds to tables."""

import json
import statistics

from . import clients, workloads


def line(seen):
    """A run, while one waits for the others."""
    if "error" in seen:
        return "%s failed: %s" % (seen["client"], seen["error"])
    return "%-12s %9.1f us of CPU a request, %7.0f requests/s, %6.1f MiB%s" % (
        seen["client"], cpu(seen), speed(seen), peak(seen),
        ", %d failed: %s" % (seen["failed"], seen["first_error"]) if seen["failed"] else "")


def cpu(seen):
    return (seen["cpu_user_us"] + seen["cpu_sys_us"]) / max(1, seen["ok"])


def speed(seen):
    return seen["ok"] / seen["wall_s"]


def peak(seen):
    return seen["max_rss_kib"] / 1024


class Results:
    """What every client did in one workload."""

    def __init__(self, workload, played):
        self.workload = workload
        self.good = {client: seen for client, seen in played.items() if all(map(fine, seen))}
        self.bad = {client: seen for client, seen in played.items() if client not in self.good}
        peers = [client for client in self.good if client in clients.PEERS]
        self.best = min(peers, key=lambda client: self.median(client, cpu), default=None)

    def median(self, client, of):
        return statistics.median(map(of, self.good[client]))

    def spread(self, client):
        cpus = [cpu(seen) for seen in self.good[client]]
        return (max(cpus) - min(cpus)) / statistics.median(cpus)

    def ratio(self, client, base):
        """The median of the rounds' own ratios: what a noisy minute did to both is in neither."""
        if client not in self.good or base not in self.good:
            return None
        others = {(seen["run"], seen["round"]): cpu(seen) for seen in self.good[base]}
        both = [seen for seen in self.good[client] if (seen["run"], seen["round"]) in others]
        ratios = [cpu(seen) / others[seen["run"], seen["round"]] for seen in both]
        return statistics.median(ratios) if ratios else None


def fine(seen):
    return "error" not in seen and seen["failed"] == 0 and seen["ok"] > 0


def read(rounds):
    """What is said of the machine, and the results of each workload that was played."""
    about, played = [], {}
    for entry in map(json.loads, open(rounds)):
        if "machine" in entry:
            about.append(entry)
        else:
            # Each run counts its rounds anew.
            entry["run"] = len(about)
            by_client = played.setdefault(entry["workload"], {})
            by_client.setdefault(entry["client"], []).append(entry)
    results = [Results(each, played[each.name]) for each in workloads.ALL if each.name in played]
    return about, results


def text(rounds):
    about, results = read(rounds)
    if not results:
        return "Nothing was played."
    timed = [each for each in results if not each.workload.of_memory]
    memory = [each for each in results if each.workload.of_memory]
    parts = [heading(about), summary(timed)] if timed else [heading(about)]
    parts += [table(each) for each in timed]
    if memory:
        parts.append(memory_table(memory))
    parts.append(left_out(about, results))
    return "\n\n".join(parts)


def heading(about):
    machine = about[-1]["machine"]
    commits = dict.fromkeys(each["machine"]["commit"] for each in about)
    versions = ", ".join("%s %s" % pair for pair in machine["versions"].items())
    said = (
        "Measured on %(date)s: %(cpus)d CPUs, %(cpu)s, %(memory_gib)d GiB, Linux %(linux)s, rustc %(rustc)s, "
        "nginx %(nginx)s. " % machine
        + "fetchpool of commit %s; %s.\n\n" % (", ".join(commits), versions)
        + "CPU is the client's own, user and system, for each request that succeeded; ratios are medians of "
        "the ratios within a round; the spread is (most - least) / median. `raw` and `raw_tls` are the floor: "
        "sockets alone. README.md says how it is done."
    )
    if any(each["quick"] for each in about):
        said += "\n\n**A quick run: its numbers mean little.**"
    return said


def summary(results):
    """Where the crate stands, a line for each workload."""
    rows = []
    for each in results:
        mine, best, floor = each.ratio("pool", each.best), each.best, each.workload.floor
        if mine is None:
            continue
        rows.append([
            "%s: %s" % (each.workload.name, each.workload.title), amount(each, "pool"),
            times(each.ratio("pool", floor)), best, amount(each, best), times(each.ratio(best, floor)),
            "**%.2f**" % mine if mine < 1 else "%.2f" % mine,
        ])
    head = ["workload", "pool", "x floor", "best peer", "its CPU", "x floor", "pool / best peer"]
    return markdown(head, rows, words={0, 3})


def table(each):
    workload = each.workload
    rows = []
    for client in sorted(each.good, key=lambda client: each.median(client, cpu)):
        row = [
            client, amount(each, client), "%.0f %%" % (each.spread(client) * 100),
            times(each.ratio(client, workload.floor)), times(each.ratio(client, each.best)),
            "%.0f" % each.median(client, speed),
            "%.2f" % each.median(client, lambda seen: seen["p50_ms"]),
            "%.2f" % each.median(client, lambda seen: seen["p99_ms"]),
            "%.1f" % each.median(client, peak), connections(each.good[client]),
        ]
        if workload.counts_handshakes:
            row += ["%.0f" % each.median(client, lambda seen: seen[kind]) for kind in ("full", "resumed")]
        if workload.ideal:
            row.append("%.2f" % each.median(client, lambda seen: seen["wall_s"] / seen["ideal_s"]))
        rows.append(row)
    head = ["client", "CPU", "spread", "x floor", "x best peer", "requests/s", "p50 ms", "p99 ms", "peak MiB",
            "connections"]
    if workload.counts_handshakes:
        head += ["full handshakes", "resumed"]
    if workload.ideal:
        head.append("wall x ideal")
    parts = ["### %s: %s" % (workload.name, workload.title), markdown(head, rows, words={0})]
    if each.good:
        rounds = max(map(len, each.good.values()))
        others = [seen["others_cores"] for runs in each.good.values() for seen in runs]
        parts.append("Rounds: %d. Meanwhile others used %.2f cores (median)." % (rounds, statistics.median(others)))
    parts += ["%s failed: %s." % (client, reason(seen)) for client, seen in each.bad.items()]
    return "\n\n".join(parts)


def memory_table(results):
    played = [client for client in clients.ALL if any(client in each.good for each in results)]
    rows = [
        [client] + ["%.1f" % each.median(client, peak) if client in each.good else "-" for each in results]
        for client in played
    ]
    head = ["peak MiB"] + ["%d requests" % each.good[min(each.good)][0]["ok"] if each.good else "-" for each in results]
    failed = ["%s failed at %s: %s." % (client, each.workload.name, reason(seen))
              for each in results for client, seen in each.bad.items()]
    return "\n\n".join(["### W7: memory as the list grows, 1 KiB, 16 at a time", markdown(head, rows, words={0}), *failed])


def left_out(about, results):
    lines = []
    for client, why in about[-1]["absent"].items():
        lines.append("- %s, everywhere: %s" % (client, why))
    by_reason = {}
    for each in results:
        for client, why in each.workload.left_out.items():
            if why and client not in about[-1]["absent"]:
                by_reason.setdefault((client, why), []).append(each.workload.name)
    lines += ["- %s, in %s: %s" % (client, ", ".join(names), why) for (client, why), names in by_reason.items()]
    return "\n".join(["### Who is left out", "", *(lines or ["Nobody."])])


def reason(seen):
    bad = next(one for one in seen if not fine(one))
    return bad.get("error") or "%d of its requests, the first with `%s`" % (bad["failed"], bad["first_error"])


def amount(each, client):
    middle = each.median(client, cpu)
    if middle < 1_000:
        return "%.1f us" % middle
    return "%.*f ms" % (1 if middle > 10_000 else 2, middle / 1e3)


def times(ratio):
    return "-" if ratio is None else "%.2f" % ratio


def connections(seen):
    known = [one["connections"] for one in seen if one["connections"] is not None]
    return "%.0f" % statistics.median(known) if known else "-"


def markdown(head, rows, words):
    rule = ["---" if column in words else "---:" for column in range(len(head))]
    return "\n".join("| %s |" % " | ".join(row) for row in [head, rule, *rows])
