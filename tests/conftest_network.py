"""What the tests of the network share: quick settings, a clock that skips its sleeps, a server of raw bytes."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from trialscrape.replica import Site, Study
from trialscrape.settings import Settings

PAGE = b"<!doctype html><title>Invented</title><p>An invented study of nothing at all.</p>"
STUDY = Study(
    nct_id="NCT99000001",
    slug="an-invented-study",
    page=PAGE,
    brief_title="An Invented Study",
    official_title="A Randomized Invented Study",
    acronym="AIS",
    sponsor="Example University",
    brief_summary="Nothing is done.\n\n* at all",
    enrollment=12,
    enrollment_type="ESTIMATED",
    conditions=("Nothing", "Something, Rare"),
    interventions=("DRUG: Void: 5 mg", "OTHER: Air"),
    aliases=("NCT99000009",),
)
PATH = f"/study/{STUDY.slug}"
SITE = Site(studies=(STUDY,))


def quick(url: str, **changes: Any) -> Settings:
    """Return settings for a replica, with times that a test can wait for."""
    times = {
        "rate": 500.0,
        "connect_timeout": 2.0,
        "read_timeout": 0.3,
        "total_timeout": 0.6,
        "backoff": 0.002,
        "backoff_limit": 0.01,
    }
    return Settings(site=url, registry=url, **(times | changes))


class WarpClock:
    """A clock on which real time passes, and sleeps pass at once; it remembers them."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []
        self._lock = threading.Lock()
        self._skipped = 0.0

    def clock(self) -> float:
        """Return the seconds passed, slept ones included."""
        return time.monotonic() + self._skipped

    def sleep(self, seconds: float) -> None:
        """Let so many seconds have passed."""
        with self._lock:
            self.sleeps.append(seconds)
            self._skipped += seconds


@contextlib.contextmanager
def raw_server(answer: Callable[[str, socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve connections that are closed after one request: `answer` gets its path and the socket. Yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, answer, tls), daemon=True)
        thread.start()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        # A listener is woken by its shutdown, not by its end.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(listener: socket.socket, answer: Callable[[str, socket.socket], None], tls: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError):
        while True:
            plain, _ = listener.accept()
            with plain, contextlib.suppress(OSError):
                connection = tls.wrap_socket(plain, server_side=True) if tls else plain
                request = b""
                while not request.endswith(b"\r\n\r\n") and (received := connection.recv(65536)):
                    request += received
                if request:
                    answer(request.split()[1].decode(), connection)


def raw_page(head: str, body: bytes) -> Callable[[str, socket.socket], None]:
    """Return an answer for `raw_server`: no robots.txt, and these bytes for all else."""

    def answer(path: str, connection: socket.socket) -> None:
        if path == "/robots.txt":
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            connection.sendall(f"HTTP/1.1 {head}\r\nConnection: close\r\n\r\n".encode("latin-1") + body)

    return answer
