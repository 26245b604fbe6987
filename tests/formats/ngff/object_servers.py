"""Servers on this machine for tests: a web server and a bucket of S3, with faults.

`Served` answers GET and HEAD with ranges, as real servers do. What it does to single
objects is said by ``fault``: a status, "stall" (no answer until the server ends),
"cut" (half of the object), "whole" (ranges are ignored), or "endless".
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Fault = int | str | None


@dataclass
class Served:
    """A running server.

    Parameters
    ----------
    address : str
        Where it listens.
    asked : list of str
        "METHOD path" of the requests that came.
    signed : list of str
        The Authorization header of each, or "".
    fault : callable
        What to do with an object, by its path.
    """

    address: str
    asked: list[str] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)
    fault: Callable[[str], Fault] = lambda path: None
    most_at_once: int = 0


@contextmanager
def serving(folder: Path, *, needs_key: str = "") -> Iterator[Served]:
    """Serve a folder; with ``needs_key`` only requests that this key has signed."""
    end = threading.Event()
    lock = threading.Lock()
    now = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 2**16  # head and body in one packet: two would wait for each other

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            nonlocal now
            path = unquote(self.path.partition("?")[0])
            with lock:
                now += 1
                served.most_at_once = max(served.most_at_once, now)
                served.asked.append(f"{self.command} {self.path}")
                served.signed.append(self.headers.get("Authorization", ""))
            try:
                self._answer(path)
            except OSError:
                self.close_connection = True  # the client has gone
            finally:
                with lock:
                    now -= 1

        def _answer(self, path: str) -> None:
            if needs_key and f"Credential={needs_key}/" not in served.signed[-1]:
                return self._status(403)
            fault = served.fault(path)
            if isinstance(fault, int):
                return self._status(fault)
            if fault == "stall":
                end.wait(30)
                self.close_connection = True
                return None
            if fault == "endless":
                return self._endless()
            file = folder / path.strip("/")
            if not file.is_file():
                return self._status(404)
            data = file.read_bytes()
            if fault == "whole":
                del self.headers["Range"]
            first, last = self._range(len(data))
            if first >= len(data) > 0:
                return self._status(416)
            part = data[first : last + 1]
            self.send_response(206 if "Range" in self.headers else 200)
            self.send_header("Content-Length", str(len(part)))
            self.send_header("ETag", f'"{len(data)}"')
            if "Range" in self.headers:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(part[: len(part) // 2] if fault == "cut" else part)
            if fault == "cut":
                self.close_connection = True
            return None

        def _endless(self) -> None:
            self.send_response(206 if "Range" in self.headers else 200)
            if "Range" in self.headers:
                first, last = self._range(2**40)
                length = last + 1 - first
                self.send_header("Content-Range", f"bytes {first}-{last}/{2**40}")
            else:
                length = 2**40
            self.send_header("Content-Length", str(length))
            self.end_headers()
            while length > 0 and not end.is_set():
                piece = bytes(min(length, 2**16))
                self.wfile.write(piece)
                self.wfile.flush()
                length -= len(piece)
                end.wait(0.01)  # slowly, so that a test does not fill the memory
            self.close_connection = True

        def _range(self, size: int) -> tuple[int, int]:
            text = self.headers.get("Range", "").removeprefix("bytes=")
            if not text:
                return 0, size - 1
            first, _, last = text.partition("-")
            if not first:
                return max(0, size - int(last)), size - 1
            return int(first), min(int(last) if last else size - 1, size - 1)

        def _status(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    served = Served(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield served
    finally:
        end.set()
        server.shutdown()
        thread.join()
        server.server_close()
