"""A store of packages that keeps whatever is put or posted, and believes whom it is told that it comes from.

Usage: store.py FOLDER PORT_FILE
"""

import http.server
import json
import pathlib
import sys

FOLDER, PORT_FILE = map(pathlib.Path, sys.argv[1:])


class Store(http.server.BaseHTTPRequestHandler):
    def keep(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = {name.lower(): value for name, value in self.headers.items()}
        with open(FOLDER / "requests", "a", encoding="utf-8") as log:
            log.write(json.dumps({"method": self.command, "path": self.path, "bytes": len(body), "headers": told}) + "\n")
        self.send_response(404 if self.command == "GET" else 201)
        answer = b"{}"
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST = keep

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
PORT_FILE.write_text(str(server.server_port))
server.serve_forever()
