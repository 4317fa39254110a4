"""A program under WSGI (PEP 3333) that says what it was given: its environment, and the body. /status/403 answers so."""

import json
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    told["body"] = environ["wsgi.input"].read(length).decode()
    path = environ["PATH_INFO"]
    status = path.removeprefix("/status/") if path.startswith("/status/") else "200"
    start_response(f"{status} Told", [("Content-Type", "application/json"), ("X-Application", "here")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [json.dumps(told).encode()]


server = make_server("127.0.0.1", int(sys.argv[1]), application, handler_class=Quiet)
server.serve_forever()
