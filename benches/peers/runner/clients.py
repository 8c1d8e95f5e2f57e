"""Who takes part."""

import os
import subprocess

from . import machine

OURS = ["pool", "pool_taken", "session"]
FLOORS = ["raw", "raw_tls"]
PEERS = ["hyper", "hyper_aws_lc", "reqwest", "ureq", "attohttpc", "minreq", "curl"]
ALL = OURS + FLOORS + PEERS
NO_KEEP_ALIVE = ["attohttpc", "minreq"]
# Another one with other cryptography.
ONLY_TLS = ["hyper_aws_lc"]

# The binary, where it is not of the client's name, and the mode that it then has.
VARIANTS = {"pool_taken": ("pool", "take")}

# The feature that a binary is built with, where it is not of its name.
FEATURES = {"raw": "", "raw_tls": "", "session": "pool", "minreq": "minreq-tls",
            "hyper_aws_lc": "hyper-aws-lc"}


def program(client):
    return VARIANTS.get(client, (client,))[0]


def mode(client, mode):
    return VARIANTS[client][1] if client in VARIANTS else mode


def target(here):
    return here / "target"


def binary(here, name):
    return target(here) / "release" / name


def build(here, wanted, through, is_built):
    """Builds each with the features that it needs and no others, as its user has it. Which clients
    there are, and why others are not."""
    absent = {}
    wanted = [client for client in ALL if client in (wanted or ALL)]
    # The server, and the floors: those without which nothing can be told.
    for name in dict.fromkeys(["server", *FLOORS, *map(program, wanted)]):
        if is_built:
            said = "" if binary(here, name).exists() else "it is not built"
        else:
            said = build_one(here, name, through)
        if said:
            if name in ["server", *FLOORS, "pool"]:
                raise SystemExit("%s: %s" % (name, said))
            absent[name] = said
    if not is_built:
        built_of(here).write_text(machine.commit(here))
    return [client for client in wanted if program(client) not in absent], absent


def built_of(here):
    """The file that says of which commit they were built: with `--built` there may be another one by now."""
    return target(here) / "commit"


def build_one(here, name, through):
    """What went wrong, or nothing."""
    # Nothing of this repository's own configuration: as users build it.
    environment = os.environ | {"CARGO_ENCODED_RUSTFLAGS": "", "CARGO_TARGET_DIR": str(target(here))}
    command = [*through, "cargo", "build", "--quiet", "--release", "--locked", "--no-default-features",
               "--features", FEATURES.get(name, name), "--bin", name]
    print("building %s" % name, flush=True)
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error")]
    return "it does not build: %s" % " ".join(errors)[:300]
