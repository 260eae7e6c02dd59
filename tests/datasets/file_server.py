"""A server on this machine that sends files, and sends elsewhere."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends `server.files[path]`: bytes are a file, text is a redirect to that address."""

    def do_GET(self):
        self.server.requests.append(self.path)
        found = self.server.files.get(self.path)
        if found is None:
            self.send_error(404)
        elif isinstance(found, str):
            self.send_response(302)
            self.send_header("Location", found)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(found) > 0:
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(found) - 1}/{len(found)}")
            self.send_header("Content-Length", str(self.server.claimed or len(found) - start))
            self.end_headers()
            self.wfile.write(found[start : self.server.breaks_after])

    def log_message(self, *_):
        pass


@contextmanager
def file_server() -> Iterator[http.server.ThreadingHTTPServer]:
    """A server with `files` to be filled, and `requests` to be read.

    It breaks off after `breaks_after` bytes, and says that it sends `claimed` of them.
    """
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.requests = {}, []
    server.breaks_after, server.claimed = None, None
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
