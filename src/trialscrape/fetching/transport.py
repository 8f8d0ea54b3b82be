"""The connections: one deadline for each request, and an end to all of them at once.

This is httpx's own client over httpcore's own pool; only how long a connection may take is set here.
"""

import contextlib
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from operator import attrgetter
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import httpcore
import httpx

from trialscrape.settings import Settings


def make_client(settings: Settings, transport: httpx.BaseTransport) -> httpx.Client:
    """Make the client of a run: it keeps nothing and adds nothing of its own."""
    return httpx.Client(
        transport=transport,
        headers={
            "User-Agent": settings.user_agent,
            "Accept": "text/html,application/xhtml+xml,application/xml,application/json,text/plain;q=0.9,*/*;q=0.5",
            # Only what `decoding` decompresses within a limit.
            "Accept-Encoding": "gzip, deflate",
        },
        timeout=httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout),
        # Redirects are followed by hand: each needs its turn, robots.txt and the same site.
        follow_redirects=False,
        # No netrc: nothing but what the settings say goes to the site.
        trust_env=False,
        # No cookies kept: a page must not depend on what was requested before it.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


def trace_head(sent: Callable[[], None]) -> Callable[[str, dict[str, Any]], None]:
    """Make the `trace` extension of httpcore that calls `sent` when the head of a request is sent to its host."""
    to_proxy = False

    def trace(name: str, info: dict[str, Any]) -> None:
        nonlocal to_proxy
        if name == "http11.send_request_headers.started":
            to_proxy = info["request"].method == b"CONNECT"
        elif name == "http11.send_request_headers.complete" and not to_proxy:
            sent()

    return trace


class DeadlineBackend(httpcore.SyncBackend):
    """Connections that end at the deadline of the request that uses them, and all at once when the run is stopped.

    A read timeout alone does not end an answer that comes byte by byte. A connection serves one request at a time, in
    the thread that asked for it, so the deadline is the thread's.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._thread = threading.local()
        self._lock = threading.Lock()
        self._open: weakref.WeakSet[_DeadlineStream] = weakref.WeakSet()
        self._over = False

    def begin_request(self, total: float) -> None:
        """Give the request that this thread begins `total` seconds."""
        self._thread.deadline = self._clock() + total

    def left(self, timeout: float | None) -> float:
        """Return how long the next step may take: the timeout, or what is left of the request's time if less."""
        left: float = self._thread.deadline - self._clock()
        if left <= 0:
            raise httpcore.ReadTimeout("the total timeout")
        return left if timeout is None else min(timeout, left)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect, as httpcore does."""
        plain = super().connect_tcp(host, port, self.left(timeout), local_address, socket_options)
        return self.watch(plain)

    def watch(self, stream: httpcore.NetworkStream) -> "_DeadlineStream":
        """Put a connection under the deadline."""
        watched = _DeadlineStream(stream, self)
        with self._lock:
            self._open.add(watched)
            over = self._over
        if over:
            watched.shut_down()
        return watched

    def shut_down(self) -> None:
        """End all connections; a thread that reads one gets an error at once."""
        with self._lock:
            self._over = True
            streams = list(self._open)
        for stream in streams:
            stream.shut_down()


class _DeadlineStream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, backend: DeadlineBackend) -> None:
        self._inner = inner
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._backend.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._backend.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return self._backend.watch(self._inner.start_tls(ssl_context, server_hostname, self._backend.left(timeout)))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's signature
        return self._inner.get_extra_info(info)

    def shut_down(self) -> None:
        # The plain socket's shutdown, since an SSLSocket's own one is not made to be called while another thread reads.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._inner.get_extra_info("socket"), socket.SHUT_RDWR)


class Transport(httpx.BaseTransport):
    """httpx's own transport, but over `DeadlineBackend`, which httpx gives no way to pass in."""

    def __init__(self, settings: Settings, backend: DeadlineBackend) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=settings.concurrency,
            max_keepalive_connections=settings.concurrency,
            keepalive_expiry=30.0,
            network_backend=backend,
            proxy=_proxy(settings.proxy),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body of the answer is an unread stream."""
        url = request.url
        with _as_httpx():
            answer = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Incoming(answer), extensions=answer.extensions
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


def _proxy(address: str) -> httpcore.Proxy | None:
    parts = urlsplit(address)
    if not parts.hostname:
        return None
    name, password = (unquote_to_bytes(part or "") for part in (parts.username, parts.password))
    url = httpcore.URL(scheme=parts.scheme, host=parts.hostname, port=parts.port, target="/")
    return httpcore.Proxy(url, auth=(name, password) if parts.username else None)


# Bytes that arrived with an answer and are not part of it; httpcore knows them, but has no public name for them.
_bytes_behind = attrgetter("stream._stream._connection._h11_state.trailing_data")


class _Incoming(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        # They would be taken for the answer to the next request; a closed connection gets none.
        behind, _ = _bytes_behind(self._answer)
        if behind:
            self._answer.extensions["network_stream"].close()
        self._answer.close()


@contextlib.contextmanager
def _as_httpx() -> Iterator[None]:
    """Raise httpcore's errors as the ones of httpx, which are all that a transport may raise."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise httpx.TimeoutException(str(error)) from error
    except httpcore.ProxyError as error:
        raise httpx.ProxyError(str(error)) from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise httpx.NetworkError(str(error)) from error
