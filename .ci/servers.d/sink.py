"""Reads what is sent to it, keeps none of it, and says how much there was.

python3 sink.py PORT

The answer is JSON: `bytes`, their `crc32`, whether they came `chunked`, and what was expected
(`expect`). `/refuse` answers 413 at once, without reading, and closes.
"""

import json
import sys
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 1 << 18


class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        if self.path.startswith("/refuse"):
            self.close_connection = True
            self.answer(413, {"refused": True})
            return
        self.count = self.crc = 0
        chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        if chunked:
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self.take(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            self.take(int(self.headers.get("Content-Length", 0)))
        expect = self.headers.get("Expect")
        found = {"bytes": self.count, "crc32": self.crc, "chunked": chunked, "expect": expect}
        self.answer(200, found)

    do_PUT = do_GET = do_POST

    def handle_expect_100(self):
        # No word that what is about to be refused may come.
        return self.path.startswith("/refuse") or super().handle_expect_100()

    def take(self, size):
        while size > 0:
            piece = self.rfile.read(min(size, PIECE))
            if not piece:
                raise ConnectionError("the body is cut off")
            self.crc = zlib.crc32(piece, self.crc)
            self.count += len(piece)
            size -= len(piece)

    def answer(self, status, found):
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Sink).serve_forever()
