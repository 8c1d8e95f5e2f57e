"""Prints as many free loopback ports as asked for.

They lie below the range that the kernel gives to clients, so that no connection of a test takes
one between this look and the server's bind.
"""

import random
import socket
import sys

WANTED = int(sys.argv[1])
with open("/proc/sys/net/ipv4/ip_local_port_range") as bounds:
    FIRST_EPHEMERAL = int(bounds.read().split()[0])
CANDIDATES = list(range(10_000, max(FIRST_EPHEMERAL, 12_000)))
random.shuffle(CANDIDATES)

found = []
for port in CANDIDATES:
    if len(found) == WANTED:
        break
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            continue
    found.append(port)
if len(found) != WANTED:
    sys.exit(f"only {len(found)} of {WANTED} ports are free")
print(*found)
