"""A test double of the site and the registry, on loopback. It is not the site, and says so in every answer.

    python -m trialscrape.testing.replica FOLDER --port 0

prints `serving http://127.0.0.1:PORT` once it is ready, and serves until SIGINT or SIGTERM.

FOLDER holds

- `studies.toml`, one table a study; all keys but `nct_id` and `slug` are optional:

      [[study]]
      nct_id = "NCT99000001"
      slug = "a-study-of-something"      # the page is at /study/<slug>
      page = "NCT99000001.html"          # in pages/; without it the site has no such page
      brief_title = "A Study of Something"
      official_title = "A Randomized Study of Something"
      acronym = "SOME"
      sponsor = "Example University"
      brief_summary = "Does it work?"    # in the registry's markdown
      enrollment = 40
      enrollment_type = "ESTIMATED"      # "ACTUAL" without it
      conditions = ["Something"]
      interventions = ["DRUG: Nothing"]  # the registry's type and the name
      aliases = ["NCT99000009"]          # old ids, to which the registry answers with this study
      registry = true                    # false: the registry does not know it
      modified = 2026-01-31              # Last-Modified of the page

- `pages/`, saved pages: `.html` is served as HTML, all else as plain text, read again for each request;
- `slugs.txt`, if there, more slugs for the sitemap, one a line, that have no page;
- `robots.txt`, if there, instead of the usual one; `{url}` in it is the replica's address;
- `faults.toml`, if there, one table an URL path, `["/study/a-study-of-something"]`, with any of

      times = 2             # only the first so many requests; without it, all
      delay = 1.5           # seconds before the first byte
      status = 503          # another status; with `body`, `body_file`, `content_type` and `headers` as wanted
      retry_after = 2       # the header: seconds, or "date+2" for the time 2 seconds from now, or any other text
      redirect = "/study/x" # the Location; status 302 by default
      size = 1_000_000_000  # a body of so many bytes
      length = false        # no Content-Length: the body ends with the connection
      gzip_bomb = 10_000_000_000  # a gzip body that unpacks to so many bytes
      drip = 0.1            # seconds between the bytes of the body; with `drip_head` also of the head
      cut = 100             # so many bytes of the body, then
      end = "close"         # the connection is closed, or "reset"; with `cut = -1` before any answer
      bad_chunk = true      # chunked coding with a chunk that has no length

Served are `/robots.txt`, `/sitemap.xml` with its shards `/sitemap-0.xml.gz` …, `/study/<slug>` with ETag, Last-Modified
and 304, `/api/v2/studies/<id>`, and `/api/v2/studies?filter.ids=<id>,<id>…`, which answers for current ids only.
"""

import argparse
import gzip
import hashlib
import http.client
import json
import signal
import socket
import struct
import sys
import threading
import time
import tomllib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

_SAYS = "trialscrape-replica (test double)"
_BLOCK = 65_536
_LIST = "/api/v2/studies"
_LONGEST_ADDRESS = 8_192  # as of many servers
_HTML, _TEXT, _XML = "text/html; charset=utf-8", "text/plain; charset=utf-8", "application/xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One study of the replica; `page` is the file name of its saved page, or the page itself."""

    nct_id: str
    slug: str
    page: str | bytes | None = None
    brief_title: str = ""
    official_title: str = ""
    acronym: str = ""
    sponsor: str = "Example University"
    brief_summary: str = ""
    enrollment: int | None = None
    enrollment_type: str = "ACTUAL"
    conditions: tuple[str, ...] = ()
    interventions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    registry: bool = True
    modified: date = date(2026, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong at one path; the module's docstring explains each field."""

    times: int | None = None
    delay: float = 0.0
    status: int | None = None
    retry_after: int | str | None = None
    redirect: str | None = None
    body: str | bytes | None = None
    content_type: str = _HTML
    headers: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    length: bool = True
    gzip_bomb: int | None = None
    drip: float = 0.0
    drip_head: bool = False
    cut: int | None = None
    end: str = "close"
    bad_chunk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything a replica serves."""

    studies: tuple[Study, ...] = ()
    slugs: tuple[str, ...] = ()
    robots: str = "User-agent: *\nDisallow: /study-search\nSitemap: {url}/sitemap.xml\n"
    faults: Mapping[str, Fault] = field(default_factory=dict)
    pages: Path = Path()
    shard: int = 10_000


class RecordedRequest(NamedTuple):
    """One request as it came in; `time` is `time.monotonic()`, header names are in lower case.

    `client` is the port it came from: one for each connection.
    """

    time: float
    method: str
    path: str
    headers: dict[str, str]
    client: int


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


_T = TypeVar("_T", Study, Fault)


def read_site(folder: Path) -> Site:
    """Read a replica's folder.

    Raises:
        OSError: `studies.toml` is missing or cannot be read.
        ValueError: A table is no TOML, or has a key that nobody knows.
    """
    studies = _read_toml(folder / "studies.toml").get("study", [])
    faults = _read_toml(folder / "faults.toml") if (folder / "faults.toml").exists() else {}
    robots, slugs = folder / "robots.txt", folder / "slugs.txt"
    site = Site(
        studies=tuple(_build_row(Study, row, "studies.toml") for row in studies),
        faults={path: _build_fault(folder, row) for path, row in faults.items()},
        slugs=tuple(slugs.read_text(encoding="utf-8").split()) if slugs.exists() else (),
        pages=folder / "pages",
    )
    return replace(site, robots=robots.read_text(encoding="utf-8")) if robots.exists() else site


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: expected TOML, found {error}") from error


def _build_row(kind: type[_T], row: Mapping[str, Any], table: str) -> _T:
    known = {entry.name for entry in fields(kind)}
    if unknown := set(row) - known:
        raise ValueError(f"{table}: expected keys out of {sorted(known)}, found {sorted(unknown)}")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"{table}: {error}") from error


def _build_fault(folder: Path, row: Mapping[str, Any]) -> Fault:
    values = dict(row)
    if name := values.pop("body_file", None):
        values["body"] = (folder / name).read_bytes()
    return _build_row(Fault, values, "faults.toml")


class Replica:
    """A running replica. Use it as a context manager.

    Attributes:
        url: Its scheme, host and port.
        requests: The requests that came in, oldest first; a test may clear them.
        faults: Fault by URL path; may be changed while it runs.

    Args:
        site: What to serve, or the folder that says so.
        faults: Faults on top of the site's own.
        port: The port on 127.0.0.1, or 0 for a free one.
    """

    def __init__(self, site: Site | Path, faults: Mapping[str, Fault] | None = None, port: int = 0) -> None:
        self.site = read_site(site) if isinstance(site, Path) else site
        self.faults = dict(self.site.faults) | dict(faults or {})
        self.requests: list[RecordedRequest] = []
        self.stopping = threading.Event()
        self._played: dict[str, int] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_fault(self, path: str) -> Fault | None:
        """Return the fault to play for this request of a path, and count it."""
        with self._lock:
            fault = self.faults.get(path)
            played = self._played.get(path, 0)
            self._played[path] = played + 1
        return None if fault is None or (fault.times is not None and played >= fault.times) else fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], replica: Replica) -> None:
        self.replica = replica
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's signature
        # Clients that give up are no error of this server.
        if not isinstance(sys.exc_info()[1], ConnectionError | ValueError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        came = time.monotonic()
        replica = self.server.replica
        if replica.stopping.is_set():
            self.close_connection = True
            return
        path = urlsplit(self.path).path
        headers = {name.lower(): value for name, value in self.headers.items()}
        replica.requests.append(RecordedRequest(came, self.command, self.path, headers, self.client_address[1]))
        fault = replica.next_fault(path)
        if fault and fault.cut == -1:
            replica.stopping.wait(fault.delay)
            self._end_connection(fault)
            return
        answer = _respond(replica.site, replica.url, self.path, headers)
        if fault:
            self._send_faulty(fault, answer)
        else:
            self.wfile.write(_make_head(answer, len(answer.body)) + answer.body)

    def log_message(self, *_args: object) -> None:
        """Log nothing: the requests are recorded."""

    def _send_faulty(self, fault: Fault, answer: _Answer) -> None:
        stopping = self.server.replica.stopping
        stopping.wait(fault.delay)
        faulty = _apply_fault(fault, answer)
        head = _make_head(faulty, _choose_length(fault, faulty))
        self._write(head, fault.drip if fault.drip_head else 0)
        left = fault.cut
        for block in _make_blocks(fault, faulty):
            if stopping.is_set():
                break
            self._write(block[:left], fault.drip)
            left = None if left is None else left - len(block)
            if left is not None and left <= 0:
                break
        # A body without a length ends with the connection, and so does one that is cut.
        if fault.cut is not None or _choose_length(fault, faulty) is None:
            self._end_connection(fault)

    def _write(self, data: bytes, drip: float) -> None:
        if not drip:
            self.wfile.write(data)
            return
        for position in range(len(data)):
            self.wfile.write(data[position : position + 1])
            if self.server.replica.stopping.wait(drip):
                return

    def _end_connection(self, fault: Fault) -> None:
        self.close_connection = True
        if fault.end == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # Detached, since the handler's files would keep the socket open, and its server would end it gently.
            socket.close(self.connection.detach())


def _respond(site: Site, url: str, address: str, headers: Mapping[str, str]) -> _Answer:
    """Return what the site or the registry answers to a request, without any fault."""
    path = urlsplit(address).path
    if path == "/":
        return _make_page(200, f"{_SAYS}: not the real site. Its pages are in {url}/sitemap.xml")
    if path == "/robots.txt":
        return _Answer(200, site.robots.replace("{url}", url).encode(), {"Content-Type": _TEXT})
    if path.startswith("/sitemap"):
        return _make_sitemap(site, url, path)
    if path.startswith("/study/"):
        return _find_page(site, unquote(path.removeprefix("/study/")), headers)
    if path == _LIST:
        return _respond_list(site, address)
    if path.startswith(f"{_LIST}/"):
        return _respond_record(site, unquote(path.removeprefix(f"{_LIST}/")))
    return _make_page(404, "Page not found")


def _make_page(status: int, text: str) -> _Answer:
    html = f"<!doctype html><title>{escape(text)}</title><p>{escape(text)}</p>"
    return _Answer(status, html.encode(), {"Content-Type": _HTML})


def _make_sitemap(site: Site, url: str, path: str) -> _Answer:
    slugs = [study.slug for study in site.studies if study.page is not None] + list(site.slugs)
    shards = {
        f"/sitemap-{at // site.shard}.xml.gz": slugs[at : at + site.shard] for at in range(0, len(slugs), site.shard)
    }
    if path == "/sitemap.xml":
        index = _make_xml("sitemapindex", "sitemap", [url + shard for shard in shards])
        return _Answer(200, index, {"Content-Type": _XML})
    if path not in shards:
        return _make_page(404, "Page not found")
    body = _make_xml("urlset", "url", [f"{url}/study/{slug}" for slug in shards[path]])
    return _Answer(200, gzip.compress(body, mtime=0), {"Content-Type": "application/gzip"})


def _make_xml(root: str, entry: str, addresses: Sequence[str]) -> bytes:
    rows = "".join(f"<{entry}><loc>{escape(address)}</loc></{entry}>\n" for address in addresses)
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{space}">\n{rows}</{root}>\n'.encode()


def _find_page(site: Site, slug: str, headers: Mapping[str, str]) -> _Answer:
    for study in site.studies:
        if study.slug == slug and study.page is not None:
            return _serve_page(study, *_read_page(site, study.page), headers)
    return _make_page(404, "Page not found")


def _read_page(site: Site, page: str | bytes) -> tuple[bytes, str]:
    if isinstance(page, bytes):
        return page, _HTML if page.lstrip().startswith(b"<") else _TEXT
    return (site.pages / page).read_bytes(), _HTML if page.endswith((".html", ".htm")) else _TEXT


def _serve_page(study: Study, body: bytes, kind: str, request_headers: Mapping[str, str]) -> _Answer:
    """Return a page with its validators, or 304 to one who has it."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    modified = format_datetime(datetime.combine(study.modified, datetime.min.time(), UTC), usegmt=True)
    headers = {"Content-Type": kind, "ETag": tag, "Last-Modified": modified}
    condition, current = (
        ("if-none-match", tag) if "if-none-match" in request_headers else ("if-modified-since", modified)
    )
    known = request_headers.get(condition) == current
    return _Answer(304, b"", headers) if known else _Answer(200, body, headers)


def _respond_record(site: Site, nct_id: str) -> _Answer:
    for study in site.studies:
        if study.registry and nct_id in (study.nct_id, *study.aliases):
            return _Answer(200, json.dumps(_make_record(study)).encode(), {"Content-Type": "application/json"})
    return _Answer(404, f"NCT number {nct_id} not found".encode(), {"Content-Type": _TEXT})


def _respond_list(site: Site, address: str) -> _Answer:
    """Return the registry's records of the ids in an address, in its own order."""
    if len(address) > _LONGEST_ADDRESS:
        return _make_page(414, "URI too long")
    query = dict(parse_qsl(urlsplit(address).query))
    ids = set(query.get("filter.ids", "").split(","))
    records = [_make_record(study) for study in site.studies if study.registry and study.nct_id in ids]
    listed = records[: int(query.get("pageSize", "10"))]
    return _Answer(200, json.dumps({"studies": listed}).encode(), {"Content-Type": "application/json"})


def _make_record(study: Study) -> dict[str, object]:
    names = {
        "nctId": study.nct_id,
        "briefTitle": study.brief_title or study.official_title or study.slug,
        "officialTitle": study.official_title,
        "acronym": study.acronym,
    }
    identification = {name: value for name, value in names.items() if value}
    protocol: dict[str, object] = {
        "identificationModule": identification,
        "sponsorCollaboratorsModule": {"leadSponsor": {"name": study.sponsor, "class": "OTHER"}},
    }
    if study.brief_summary:
        protocol["descriptionModule"] = {"briefSummary": study.brief_summary}
    if study.conditions:
        protocol["conditionsModule"] = {"conditions": study.conditions}
    if study.enrollment is not None:
        protocol["designModule"] = {"enrollmentInfo": {"count": study.enrollment, "type": study.enrollment_type}}
    if study.interventions:
        pairs = (intervention.split(": ", 1) for intervention in study.interventions)
        protocol["armsInterventionsModule"] = {"interventions": [{"type": kind, "name": name} for kind, name in pairs]}
    return {"protocolSection": protocol}


def _apply_fault(fault: Fault, answer: _Answer) -> _Answer:
    """Return the answer as the fault changes its status, headers and body."""
    # Another body is a page; all else leaves the status as it was.
    is_page = fault.body is not None or fault.size is not None or fault.gzip_bomb is not None
    status = fault.status or (302 if fault.redirect is not None else 200 if is_page else answer.status)
    body = answer.body
    headers = dict(answer.headers)
    if fault.body is not None or fault.status or fault.redirect is not None:
        text = f"{status} by a fault of the test double" if fault.body is None else fault.body
        body = text.encode() if isinstance(text, str) else text
        headers = {"Content-Type": fault.content_type}
    if fault.retry_after is not None:
        pause = str(fault.retry_after)
        if pause.startswith("date+"):
            pause = format_datetime(datetime.now(UTC) + timedelta(seconds=float(pause[5:])), usegmt=True)
        headers["Retry-After"] = pause
    if fault.redirect is not None:
        headers["Location"] = fault.redirect
    if fault.gzip_bomb:
        headers["Content-Encoding"] = "gzip"
    if fault.bad_chunk:
        headers["Transfer-Encoding"] = "chunked"
    return _Answer(status, body, headers | dict(fault.headers))


def _choose_length(fault: Fault, answer: _Answer) -> int | None:
    """Return the Content-Length to state; None where the body has none."""
    if fault.gzip_bomb or fault.bad_chunk or not fault.length:
        return None
    return len(answer.body) if fault.size is None else fault.size


def _make_head(answer: _Answer, length: int | None) -> bytes:
    headers = {"Server": _SAYS, "Date": format_datetime(datetime.now(UTC), usegmt=True)} | dict(answer.headers)
    if length is not None and answer.status != HTTPStatus.NOT_MODIFIED:
        headers.setdefault("Content-Length", str(length))
    phrase = http.client.responses.get(answer.status, "Fault")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} {phrase}\r\n{lines}\r\n".encode("latin-1")


def _make_blocks(fault: Fault, answer: _Answer) -> Iterator[bytes]:
    """Return the body in blocks, so that a huge one needs no memory."""
    if fault.bad_chunk:
        return iter([b"%x\r\n%b\r\n" % (len(answer.body), answer.body), b"no length\r\n"])
    if fault.gzip_bomb:
        return _make_bomb(fault.gzip_bomb)
    if fault.size is not None:
        return (b"x" * min(_BLOCK, fault.size - at) for at in range(0, fault.size, _BLOCK))
    return iter([answer.body])


def _make_bomb(size: int) -> Iterator[bytes]:
    """Return gzip of so many zeros, about a thousandth of their size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    for at in range(0, size, 1_000_000):
        if packed := packer.compress(bytes(min(1_000_000, size - at))):
            yield packed
    yield packer.flush()


def serve_folder(arguments: Sequence[str] | None = None) -> int:
    """Serve a folder until a signal comes. Return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m trialscrape.testing.replica", description="A test double of the site."
    )
    parser.add_argument("folder", type=Path, help="a folder with studies.toml and pages/")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    options = parser.parse_args(arguments)
    stop = threading.Event()
    try:
        with Replica(options.folder, port=options.port) as replica:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: stop.set())
            print(f"serving {replica.url}", flush=True)  # noqa: T201 - the output of this command
            stop.wait()
    except (OSError, ValueError, OverflowError) as error:
        print(f"cannot serve {options.folder}: {error}", file=sys.stderr)  # noqa: T201 - likewise
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(serve_folder())
