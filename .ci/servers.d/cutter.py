"""Carries bytes to a server and back, and cuts some connections on the way.

python3 cutter.py PORT SERVER_PORT

A request with `cut=N` in its target gets no more than the first N bytes of the answer, its head
among them. Then the connection ends: orderly, or with a reset where `reset` is in the target too.
"""

import re
import socket
import struct
import sys
import threading

PORT, SERVER_PORT = (int(argument) for argument in sys.argv[1:])
PIECE = 1 << 18


def carry(client):
    with client, socket.create_connection(("127.0.0.1", SERVER_PORT)) as server:
        start = client.recv(PIECE)
        target = start.split(b" ", 2)[1] if start.count(b" ") > 1 else b""
        cut = re.search(rb"cut=(\d+)", target)
        server.sendall(start)
        up = threading.Thread(target=pass_on, args=(client, server, None), daemon=True)
        up.start()
        pass_on(server, client, int(cut[1]) if cut else None)
        if cut and b"reset" in target:
            # A reset is sent by the close, and that when nobody reads any more.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end(client, socket.SHUT_RD)
        else:
            end(client, socket.SHUT_WR)
        # Wakes the other direction, which ends with it.
        end(server, socket.SHUT_RDWR)
        up.join(5)


def pass_on(source, sink, most):
    """Until the source ends, or so many bytes have come."""
    room = bytearray(PIECE)
    try:
        while most is None or most > 0:
            count = source.recv_into(room, PIECE if most is None else min(PIECE, most))
            if count == 0:
                break
            sink.sendall(memoryview(room)[:count])
            most = None if most is None else most - count
    except OSError:
        pass
    if most is None:
        end(sink, socket.SHUT_WR)


def end(side, how):
    try:
        side.shutdown(how)
    except OSError:
        pass


with socket.create_server(("127.0.0.1", PORT), backlog=1024) as listener:
    while True:
        threading.Thread(target=carry, args=(listener.accept()[0],), daemon=True).start()
