"""The command `report`, and its page in a real browser."""

import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.archives import make_lines, make_zip
from support.commands import COMMAND
from support.page import PAGE, with_

TITLE, SPONSOR = "Tree Bathing for Restless Clerks (TREEBATH)", "Institute for Arboreal Medicine"
ENROLLMENT = "1,240 estimated patients"
PAGES = {
    "a.txt": PAGE,
    "b.txt": with_(("NCT99000100", "NCT99000101"), (TITLE, "Ärger im Café"), (ENROLLMENT, "9 patients")),
    "c.txt": with_(("NCT99000100", "NCT99000102"), (ENROLLMENT, "100 patients"), ("Enrolling\n", "Completed\n")),
    "d.txt": with_(("NCT99000100", "NCT99000103"), (ENROLLMENT, ""), (SPONSOR, "<img src=http://example.org/x.png>")),
    "none.txt": "no page",
}
NO_PAGE = (
    "{}: not_a_study_page: expected a study page, with headings such as 'Status', 'Conditions', 'Study type' in this "
    "order; found none of them in 1 line that begins with 'no page'\n"
)


def run(*arguments: object, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on `PAGES`."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "pages").mkdir()
    for name, text in PAGES.items():
        (folder / "pages" / name).write_text(text, encoding="utf-8")
    done = run("report", "pages", "-o", "report.html", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == NO_PAGE.format("pages/none.txt") + "5 pages, 4 read, 1 failed; report in report.html\n"
    return folder / "report.html"


def test_all_that_parse_reads_is_read_on_any_number_of_cores(page: Path) -> None:
    (page.parent / "pages.zip").write_bytes(make_zip(*((name, text.encode()) for name, text in PAGES.items())))
    reports = [run("report", "pages.zip", "-o", "-", "--jobs", jobs, cwd=page.parent) for jobs in (1, 2)]
    shown = NO_PAGE.format("pages.zip!none.txt") + "5 pages, 4 read, 1 failed\n"
    assert [(done.returncode, done.stderr) for done in reports] == [(0, shown)] * 2
    assert reports[0].stdout == reports[1].stdout
    assert reports[0].stdout.replace("pages.zip!", "pages/") == page.read_text(encoding="utf-8")


def test_a_report_is_not_among_its_pages(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text(PAGE, encoding="utf-8")
    first, second = (run("report", ".", "-o", "report.html", cwd=tmp_path) for _ in range(2))
    assert first.stderr == second.stderr == "1 page, 1 read, 0 failed; report in report.html\n"


def test_no_page_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("no page", encoding="utf-8")
    done = run("report", "none.txt", "-o", "report.html", cwd=tmp_path)
    no_page = NO_PAGE.format("none.txt")
    assert (done.returncode, done.stderr) == (1, f"{no_page}1 page, 0 read, 1 failed; report in report.html\n")
    assert "not_a_study_page" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_report_of_nothing_replaces_none(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("a good one", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    done = run("report", "empty", "-o", "report.html", cwd=tmp_path)
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        [
            "empty: unreadable: there is no page in the folder",
            "1 page, 0 read, 1 failed",
            "no page gave a record, so report.html stays as it was",
        ],
    )
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "a good one"
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "empty"}


def test_more_failures_than_a_report_lists_are_counted(tmp_path: Path) -> None:
    for number in range(501):
        (tmp_path / f"{number:03}.txt").touch()
    done = run("report", ".", "-o", "-", cwd=tmp_path)
    assert "(500 pages: ./000.txt, ./001.txt, ./002.txt, …)" in done.stderr
    assert "… and 1 more of 501 pages; `trialscrape check` lists them all" in done.stderr


def test_what_is_of_another_host_is_said(tmp_path: Path) -> None:
    (tmp_path / "dump.jsonl").write_bytes(make_lines({"text": PAGE, "url": "https://example.org/study/a"}))
    done = run("report", "dump.jsonl", "-o", "report.html", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("0 pages, 0 read, 0 failed; report in report.html\nfound no page of ")
    assert "Not looked at: 1 page of another site." in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert run("report", "dump.jsonl", "-o", "report.html", "--host", "example.org", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["page.txt"], "Missing option '-o'"),
        (["page.txt", "-o", "page.txt"], "cannot write page.txt: this command reads it"),
        (["page.txt", "-o", "nowhere/r.html"], "there is no folder nowhere"),
        (["missing.txt", "-o", "r.html"], "there is no file or folder missing.txt"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text(PAGE, encoding="utf-8")
    done = run("report", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in " ".join(re.sub("[│╭╮╰╯─]", " ", done.stderr).split())
    assert [path.name for path in tmp_path.iterdir()] == ["page.txt"]


OWN_HOSTS = ("google.com", "googleapis.com", "gvt1.com")
"""What a new Chromium calls itself, whatever it shows; the proxy answers nothing, so nothing leaves the machine."""


@dataclass(frozen=True)
class Shown:
    """What Chromium made of a page: its elements at the end, its console, and the hosts that it wanted."""

    dom: str
    console: list[str]
    hosts: set[str]

    def list_rows(self) -> list[str]:
        """Return the numbers at the end of the ids of the trials that the table shows."""
        body = self.dom.split('<table id="table">')[1].split("<tbody>")[1].split("</tbody>")[0]
        return re.findall(r"<tr><td>NCT990001(\d\d)</td>", body)


@pytest.fixture(scope="module")
def proxy() -> Iterator[tuple[int, list[str]]]:
    """A proxy that answers nothing and keeps the first line of each request."""
    lines: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            lines.append(self.rfile.readline().decode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, lines
        server.shutdown()


@pytest.fixture
def show(proxy: tuple[int, list[str]], tmp_path: Path) -> Callable[[str], Shown]:
    """Chromium, without a window: an address to what it made of it."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("needs Chromium, as `apt-get install chromium` brings it")
    port, lines = proxy
    lines.clear()
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
    own = (f"--user-data-dir={tmp_path / 'profile'}", f"--proxy-server=127.0.0.1:{port}", "--enable-logging=stderr")

    def show(address: str) -> Shown:
        done = subprocess.run(
            [chromium, *options, *own, "--virtual-time-budget=2000", "--dump-dom", address],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=180,
            check=True,
        )
        hosts = {re.sub(r"^\w+ (?:\w+://)?([^/: ]+).*", r"\1", line, flags=re.DOTALL) for line in lines}
        foreign = {host for host in hosts if host and not host.endswith(OWN_HOSTS)}
        return Shown(done.stdout, re.findall(r"CONSOLE.*", done.stderr), foreign)

    return show


@pytest.mark.parametrize(
    ("view", "rows", "sorted_by"),
    [
        ("#trials", ["00", "01", "02", "03"], None),
        ("#sort=enrollment", ["01", "02", "00", "03"], ("enrollment", "ascending")),
        ("#sort=-enrollment", ["00", "02", "01", "03"], ("enrollment", "descending")),
        ("#sort=-status&q=tree+bathing", ["00", "03", "02"], ("status", "descending")),
        ("#sort=title", ["01", "00", "02", "03"], ("title", "ascending")),
        ("#q=%C3%84RGER&sort=nothing", ["01"], None),
    ],
)
def test_the_address_holds_the_view(
    view: str, rows: list[str], sorted_by: tuple[str, str] | None, page: Path, show: Callable[[str], Shown]
) -> None:
    shown = show(page.as_uri() + view)
    assert shown.list_rows() == rows
    heads = re.findall(r'data-key="(\w+)"[^>]* aria-sort="(ascending|descending)"', shown.dom)
    assert heads == ([sorted_by] if sorted_by else [])
    assert f">{len(rows)} of 4 trials</output>" in shown.dom
    assert (shown.console, shown.hosts) == ([], set())


def test_a_page_that_loads_or_fails_would_be_seen(show: Callable[[str], Shown], tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<!DOCTYPE html><img src='http://images.example.org/x.png'><script>nothing()</script>")
    shown = show(bad.as_uri())
    assert shown.hosts == {"images.example.org"}
    assert "nothing is not defined" in shown.console[0]


def test_only_the_script_of_the_report_runs(page: Path, show: Callable[[str], Shown], tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    smuggled = "<script>document.title = 'smuggled'</script><img src=http://images.example.org/x.png><h1"
    broken.write_text(page.read_text(encoding="utf-8").replace("<h1", smuggled), encoding="utf-8")
    shown = show(broken.as_uri())
    assert "<title>Study pages: 5 pages, 4 records</title>" in shown.dom
    assert shown.hosts == set()
    assert shown.list_rows() == ["00", "01", "02", "03"]
    assert any("Content Security Policy" in line for line in shown.console)


def test_a_click_sorts_and_a_word_searches(page: Path, show: Callable[[str], Shown], tmp_path: Path) -> None:
    acted = tmp_path / "acted.html"
    act = """<script>
        const button = document.querySelector("th[data-key=enrollment] button");
        button.click(); button.click();
        const input = document.querySelector("input");
        input.value = "Tree"; input.dispatchEvent(new Event("input"));
        document.title = location.hash;
    </script></body>"""
    text = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text(encoding="utf-8"))  # whose policy would not let it act
    acted.write_text(text.replace("</body>", act), encoding="utf-8")
    shown = show(acted.as_uri())
    assert shown.list_rows() == ["00", "02", "03"]
    assert "<title>#q=Tree&amp;sort=-enrollment</title>" in shown.dom


def test_without_its_script_the_page_shows_all(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert Shown(text, [], set()).list_rows() == ["00", "01", "02", "03"]
    assert '<form role="search" hidden>' in text
