"""What the numbers are numbers of."""

import datetime
import os
import re
import subprocess

NAMED = ["hyper", "hyper-util", "hyper-rustls", "reqwest", "ureq", "attohttpc", "minreq", "curl",
         "rustls", "ring", "tokio"]


def describe(here):
    cpu = first(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    memory = int(first(r"MemTotal:\s*(\d+)", open("/proc/meminfo").read())) / 2**20
    lock = (here / "Cargo.lock").read_text()
    versions = {name: first(r'name = "%s"\nversion = "(.*)"' % re.escape(name), lock) for name in NAMED}
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "cpu": cpu or "of unknown kind",
        "memory_gib": round(memory),
        "linux": os.uname().release,
        "rustc": output("rustc", "--version").removeprefix("rustc ").split(" ")[0],
        "nginx": output("nginx", "-v").rsplit("/", 1)[-1],
        "commit": commit(here),
        "date": datetime.date.today().isoformat(),
        "versions": {name: version for name, version in versions.items() if version},
    }


def commit(here):
    return output("git", "-C", here, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")


def first(pattern, text):
    found = re.search(pattern, text)
    return found and found.group(1)


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()
