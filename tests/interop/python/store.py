"""A store of packages that keeps whatever is put or posted, and believes every header about who sent it.

Usage: store.py FOLDER PORT_FILE
"""

import http.server
import json
import pathlib
import sys
import urllib.parse

FOLDER, PORT_FILE = map(pathlib.Path, sys.argv[1:])


def lands(target):
    """Where the most lenient server would put it: decoded to the end, a backslash a slash, parameters of a segment cut
    off, dots resolved, empty segments dropped."""
    path = target.split("?")[0]
    while (decoded := urllib.parse.unquote(path, errors="replace")) != path:
        path = decoded
    segments = []
    for segment in path.replace("\\", "/").split("/"):
        name = segment.split(";")[0]
        if name == "..":
            del segments[-1:]
        elif name not in ("", "."):
            segments.append(name)
    return "/" + "/".join(segments)


class Store(http.server.BaseHTTPRequestHandler):
    def keep(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # As it came: self.path has lost slashes. What some servers take for one header is one, and has all its values.
        target = self.requestline.split(" ")[1]
        headers = {}
        for name, value in self.headers.items():
            headers.setdefault(name.lower().replace("_", "-"), []).append(value)
        request = {"method": self.command, "target": target, "lands": lands(target), "bytes": len(body)}
        request["headers"] = headers
        with open(FOLDER / "requests", "a", encoding="utf-8") as log:
            log.write(json.dumps(request) + "\n")
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
