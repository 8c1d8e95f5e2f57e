"""Who takes part."""

import os
import pathlib
import subprocess

OURS = ["pool", "pool_recycle", "session"]
FLOORS = ["raw", "raw_tls"]
PEERS = ["hyper"]
ALL = OURS + FLOORS + PEERS

# The binary, where it is not of the client's name, and the mode that it then has.
VARIANTS = {"pool_recycle": ("pool", "recycle")}


def program(client):
    return VARIANTS.get(client, (client,))[0]


def mode(client, mode):
    return VARIANTS[client][1] if client in VARIANTS else mode


def target(here):
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or here / "target")


def binary(here, name):
    return target(here) / "release" / name


def build(here, wanted, is_built):
    """Builds all of them. Which clients there are, and why others are not."""
    absent = {}
    # Nothing of this repository's own configuration: as users build it.
    environment = os.environ | {"CARGO_ENCODED_RUSTFLAGS": ""}
    command = ["cargo", "build", "--release", "--locked", "--bins"]
    if not is_built:
        subprocess.run(command, cwd=here, env=environment, check=True)
    return [client for client in ALL if client in (wanted or ALL) and client not in absent], absent
