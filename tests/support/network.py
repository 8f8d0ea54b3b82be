"""What the tests of the network share: quick settings, a clock that skips its sleeps, a server of raw bytes."""

import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import trustme

from trialscrape.fetching.fetcher import Fetcher
from trialscrape.fetching.responses import Response
from trialscrape.settings import Settings
from trialscrape.testing.replica import Fault, Replica, Site, Study

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
    values = {
        "site": url,
        "registry": url,
        "rate": 500.0,
        "connect_timeout": 2.0,
        "read_timeout": 0.3,
        "total_timeout": 0.6,
        "backoff": 0.002,
        "backoff_limit": 0.01,
    }
    return Settings(**values | changes)


def fetch(replica: Replica, path: str = PATH, **changes: Any) -> Response:
    """Fetch one path of a replica."""
    with Fetcher(quick(replica.url, **changes)) as fetcher:
        return fetcher.get(replica.url + path)


def paths(replica: Replica) -> list[str]:
    """Return the requested paths, without robots.txt."""
    return [request.path for request in replica.requests if request.path != "/robots.txt"]


def robots(text: str | bytes, **changes: Any) -> Fault:
    """Return the fault that serves another robots.txt."""
    return Fault(body=text, content_type="text/plain", **changes)


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

    def serve(plain: socket.socket) -> None:
        with tls.wrap_socket(plain, server_side=True) if tls else plain as connection:
            if request := read_head(connection):
                answer(request.split()[1].decode(), connection)

    with listening(serve) as port:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"


@contextlib.contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Give each connection to `serve`, in a thread of its own. Yield the port."""

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            serve(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                # What is sent is there, and not held back until something before it was acknowledged.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        # A listener is woken by its shutdown, not by its end.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def read_head(connection: socket.socket) -> bytes:
    """Read the head of a request; nothing where the connection ends before it."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        received = connection.recv(65536)
        if not received:
            return b""
        request += received
    return request


@contextlib.contextmanager
def proxy_server(heads: list[bytes], refusal: bytes = b"") -> Iterator[str]:
    """Run an HTTP proxy, for tunnels and plain requests. It records the heads it gets. Yield its URL."""

    def serve(client: socket.socket) -> None:
        head = read_head(client)
        heads.append(head)
        if refusal:
            client.sendall(refusal)
            return
        method, target, rest = head.split(b" ", 2)
        place, _, path = target.removeprefix(b"http://").partition(b"/")
        name, _, port = place.decode().partition(":")
        with socket.create_connection((name, int(port))) as host:
            if method == b"CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                host.sendall(b"%b /%b %b" % (method, path, rest))
            while ready := select.select([client, host], [], [], 10)[0]:
                for here, there in ((client, host), (host, client)):
                    if here in ready:
                        received = here.recv(65536)
                        if not received:
                            return
                        there.sendall(received)

    with listening(serve) as port:
        yield f"http://127.0.0.1:{port}"


def certificate(folder: Path, *, name: str = "127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    """Make a certificate that nobody trusts. Return what serves with it, and the file to trust it by."""
    authority, trusted = trustme.CA(), folder / "trusted.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    authority.cert_pem.write_to_path(str(trusted))
    return context, trusted


def raw_page(head: str, body: bytes) -> Callable[[str, socket.socket], None]:
    """Return an answer for `raw_server`: no robots.txt, and these bytes for all else."""

    def answer(path: str, connection: socket.socket) -> None:
        if path == "/robots.txt":
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            connection.sendall(f"HTTP/1.1 {head}\r\nConnection: close\r\n\r\n".encode("latin-1") + body)

    return answer
