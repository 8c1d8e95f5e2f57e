// Node's own HTTP server, twice: a patient one, and one that drops idle connections after 5 ms.
// node server.mjs PATIENT_PORT HASTY_PORT

import { createServer } from "node:http";
import { brotliCompressSync, constants } from "node:zlib";

const [patientPort, hastyPort] = process.argv.slice(2).map(Number);

// A request's place on its connection, so that a client can tell whether it was reused.
const served = new WeakMap();
let connections = 0;

function answer(request, response) {
  const socket = request.socket;
  if (!served.has(socket)) served.set(socket, { id: ++connections, count: 0 });
  const connection = served.get(socket);
  connection.count += 1;
  response.setHeader("X-Connection", String(connection.id));
  response.setHeader("X-Request", String(connection.count));

  const url = new URL(request.url, "http://localhost");
  switch (url.pathname) {
    case "/small":
      response.end("small\n");
      return;
    case "/chunked": {
      // Each write is one chunk: sizes 1, 2, 3, ...
      const chunks = Number(url.searchParams.get("chunks") ?? "10");
      for (let size = 1; size <= chunks; size += 1) response.write("x".repeat(size));
      response.end();
      return;
    }
    case "/trailers":
      response.setHeader("Trailer", "X-Sum");
      response.write("body");
      response.addTrailers({ "X-Sum": "4" });
      response.end();
      return;
    case "/early-hints":
      response.writeEarlyHints({ link: ["</a.css>; rel=preload", "</b.css>; rel=preload"] });
      response.writeEarlyHints({ link: "</c.css>; rel=preload" });
      response.end("after the hints\n");
      return;
    case "/echo": {
      const body = [];
      request.on("data", (piece) => body.push(piece));
      request.on("end", () => response.end(Buffer.concat(body)));
      return;
    }
    case "/br": {
      // A quick compressor: its blocks are others than those of the thorough one.
      const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };
      const lines = Array.from({ length: 65536 }, (_, n) => `line ${String(n).padStart(10, "0")}\n`);
      response.setHeader("Content-Encoding", "br");
      response.end(brotliCompressSync(lines.join(""), quality));
      return;
    }
    case "/cut":
      // Promises more than it sends.
      response.writeHead(200, { "Content-Length": "100" });
      response.write("only this");
      setTimeout(() => socket.destroy(), 20);
      return;
    default:
      response.statusCode = 404;
      response.end();
  }
}

const patient = createServer({ keepAliveTimeout: 60_000 }, answer);

const hasty = createServer((request, response) => {
  // Said by us, or Node adds `Keep-Alive: timeout=…`, and a client that obeys it is never surprised.
  response.setHeader("Connection", "keep-alive");
  // Not by `keepAliveTimeout`, to which Node adds a second. The next request resets it.
  response.on("finish", () => request.socket.setTimeout(5));
  answer(request, response);
});

patient.listen({ host: "127.0.0.1", port: patientPort, backlog: 1024 });
hasty.listen({ host: "127.0.0.1", port: hastyPort, backlog: 1024 });
