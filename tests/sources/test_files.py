"""Which files of a folder are read, which are skipped, and what comes with a page of a store."""

import os
import tracemalloc
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

import trialscrape
from support.page import PAGE
from trialscrape.page import Page
from trialscrape.sources import files as sources
from trialscrape.sources.files import Files
from trialscrape.store.store import Store

RECORD = trialscrape.parse(PAGE).model_dump_json()


def make(folder: Path, *names: str, text: str = PAGE) -> None:
    for name in names:
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def found(folder: Path, **options: list[Path]) -> tuple[list[str], int]:
    files = Files([folder], **options)
    return [file.removeprefix(f"{folder}/") for file in files], files.skipped


def test_a_folder_s_pages_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    make(tmp_path, "b.txt", "a.html", "c/d.mhtml", "c/B", "a/z.txt")
    assert found(tmp_path) == (["a.html", "b.txt", "a/z.txt", "c/B", "c/d.mhtml"], 0)
    assert list(Files([tmp_path / "b.txt", "-", f"{tmp_path}/a/"])) == [f"{tmp_path}/b.txt", "-", f"{tmp_path}/a/z.txt"]


@pytest.mark.parametrize(
    "folder",
    ["page_files", "page-Dateien", "page_fichiers", "page_archivos", "page.files", "page-filer", "page_bestanden"],
)
@pytest.mark.parametrize("page", ["page.html", "page.htm", "page.xhtml"])
def test_the_folder_beside_a_page_is_skipped(folder: str, page: str, tmp_path: Path) -> None:
    make(tmp_path, page, f"{folder}/style.css", f"{folder}/frame.html", f"{folder}/deeper/x.txt")
    assert found(tmp_path) == ([page], 1)


@pytest.mark.parametrize("folder", ["page_files", "other_files", "page_2024", "page", "page_files_old"])
def test_another_folder_is_read(folder: str, tmp_path: Path) -> None:
    make(tmp_path, "page.txt" if folder == "page_files" else "page.html", f"{folder}/a.html")
    assert found(tmp_path)[0][1:] == [f"{folder}/a.html"]


def test_a_folder_that_is_given_is_read(tmp_path: Path) -> None:
    make(tmp_path, "page.html", "page_files/frame.html", ".hidden/a.txt")
    assert found(tmp_path / "page_files") == (["frame.html"], 0)
    assert found(tmp_path / ".hidden") == (["a.txt"], 0)


NO_PAGES = [
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    ".DS_Store",
    "trials.db.lock",
    "trials.jsonl.part",
    "a.CRDOWNLOAD",
]


@pytest.mark.parametrize("name", NO_PAGES)
def test_what_is_no_page_is_skipped_and_counted(name: str, tmp_path: Path) -> None:
    make(tmp_path, "page.txt", name)
    assert found(tmp_path) == (["page.txt"], 1)
    assert list(Files([tmp_path / name])) == [f"{tmp_path}/{name}"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("trials.jsonl", RECORD),
        ("trials.json", f"[\n{RECORD}\n]\n"),
        ("trials.outcomes.jsonl", '{"file": "a \\"b\\".txt", "outcome": "ok", "message": null}'),
        ("scraped.outcomes.jsonl", '{"id": "NCT99000100", "outcome": "ok", "url": null}'),
    ],
)
def test_our_own_output_is_skipped(name: str, text: str, tmp_path: Path) -> None:
    make(tmp_path, "page.txt")
    make(tmp_path, name, text=text)
    assert found(tmp_path) == (["page.txt"], 1)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("notes.jsonl", '{"id": 1}'),
        ("notes.jsonl", "About"),
        ("study.json", '{"protocolSection": {}}'),
        ("trials.txt", RECORD),
        ("my-wal", PAGE),
        ("part", PAGE),
        ("lock", PAGE),
        ("desktop.ini.txt", PAGE),
    ],
)
def test_what_is_not_known_to_be_no_page_is_read(name: str, text: str, tmp_path: Path) -> None:
    make(tmp_path, name, text=text)
    assert found(tmp_path) == ([name], 0)


def test_a_store_is_read_without_the_files_beside_it(tmp_path: Path) -> None:
    with Store.open(tmp_path / "pages") as store:
        store.pages.add("https://example.org/study/a", page_of("https://example.org/study/a"))
        make(tmp_path, "pages-journal", text="")
        files = found(tmp_path)
        beside = {path.name for path in tmp_path.iterdir()} - {"pages"}
    assert beside >= {"pages-wal", "pages-shm", "pages-journal", "pages.lock"}
    assert files == (["pages"], len(beside))


def test_what_a_run_writes_is_not_its_input_and_not_counted(tmp_path: Path) -> None:
    make(tmp_path, "page.txt", "out", "out.part", "out.k3.part", "outer", "deeper/out")
    (tmp_path / "link").symlink_to(tmp_path)
    written = [tmp_path / "link" / "out"]
    assert found(tmp_path, written=written) == (["outer", "page.txt", "deeper/out"], 1)


def test_a_folder_without_a_page_is_listed_itself(tmp_path: Path) -> None:
    make(tmp_path, "a/Thumbs.db", "b/")
    assert list(Files([tmp_path / "a", tmp_path / "b"])) == [f"{tmp_path}/a", f"{tmp_path}/b"]


def test_linked_folders_are_skipped_and_linked_files_read(tmp_path: Path) -> None:
    make(tmp_path, "pages/a.txt", "other/b.txt")
    (tmp_path / "pages" / "loop").symlink_to(tmp_path / "pages")
    (tmp_path / "pages" / "link.txt").symlink_to(tmp_path / "other" / "b.txt")
    (tmp_path / "pages" / "nowhere.jsonl").symlink_to(tmp_path / "missing")
    assert found(tmp_path / "pages") == (["a.txt", "link.txt", "nowhere.jsonl"], 1)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 35])
def test_a_large_folder_is_in_order_too(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_RUN", 10)
    names = [f"{number * 7 % 36}ä.txt" for number in range(count)]
    make(tmp_path, "deeper/z.txt", *names)
    assert found(tmp_path)[0] == [*sorted(names), "deeper/z.txt"]


def test_folders_as_deep_as_a_path_may_be_are_read(tmp_path: Path) -> None:
    deep = f"{tmp_path}" + "/d" * 300
    for length in range(len(str(tmp_path)) + 2, len(deep) + 1, 2):
        os.mkdir(deep[:length])  # noqa: PTH102  Path.mkdir is too slow for so long a path
    Path(f"{deep}/a.txt").write_text(PAGE)
    assert list(Files([tmp_path])) == [f"{deep}/a.txt"]


def test_a_folder_that_cannot_be_read_is_listed(tmp_path: Path) -> None:
    make(tmp_path, "a/b.txt", "c.txt", "d/e.txt")
    real = os.scandir

    def scandir(path: str) -> Any:
        if path.endswith("/a/"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    with patch.object(os, "scandir", scandir):
        assert found(tmp_path) == (["c.txt", "a", "d/e.txt"], 0)


def test_the_names_of_many_files_take_little_memory() -> None:
    """Against a list of them, which is what 1.1 times the memory of 1,000 files has no room for."""
    entries = [SimpleNamespace(name=f"study-page-number-{number:06}.txt", is_dir=bool) for number in range(30_000)]
    with patch.object(os, "scandir", lambda _: nullcontext(iter(entries))):
        tracemalloc.start()
        _, names = sources._list_folder("folder/")  # noqa: SLF001  what it keeps is the point
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert kept < 40 * len(entries)
    assert list(names) == [entry.name for entry in entries]


@pytest.mark.parametrize("name", ["pipe.json", "page.html"])
def test_a_pipe_is_listed_without_waiting_for_it(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    make(tmp_path, "page_files/a.txt")
    assert found(tmp_path) == ([name, "page_files/a.txt"], 0)


def test_files_are_listed_no_earlier_than_they_are_read(tmp_path: Path) -> None:
    make(tmp_path, *(f"{number}/page.txt" for number in range(10)))
    real = os.scandir
    with patch.object(os, "scandir", side_effect=real) as scandir:
        assert len(list(islice(Files([tmp_path]), 3))) == 3
    assert scandir.call_count == 4


def page_of(url: str) -> Page:
    body = PAGE.replace("Institute for Arboreal Medicine", "Институт").encode("cp1251")
    at = datetime(2030, 1, 1, tzinfo=UTC)
    return Page(body, "text/html; charset=windows-1251", f"{url}?comeFrom=x", fetched_at=at)


def test_a_page_of_a_store_comes_with_its_address_and_content_type(tmp_path: Path) -> None:
    path, url = tmp_path / "pages.db", "https://example.org/study/a"
    with Store.open(path) as store:
        store.pages.add(url, page_of(url))
    (page,) = sources.read_pages(str(path))
    assert page == replace(page_of(url), file=f"{path}!{url}", url=url)
    (result,) = trialscrape.parse_files([path])
    assert result.trial
    assert (result.trial.sponsor, result.trial.source.url, result.trial.warnings) == ("Институт", url, ())


def test_a_file_too_large_for_a_page_is_named_where_it_is_something_else(tmp_path: Path) -> None:
    with (tmp_path / "crawl.zip").open("wb") as stream:
        stream.write(b"PK\x03\x04")
        stream.truncate(64 * 1024 * 1024)
    with (tmp_path / "long.txt").open("wb") as stream:
        stream.truncate(64 * 1024 * 1024)
    packed, text = trialscrape.parse_files([tmp_path])
    assert (packed.outcome, packed.message) == (
        "unreadable",
        "expected a whole ZIP archive, found one whose list at its end cannot be read (File is not a zip file): "
        "it is cut or broken; 0 files that stand before the damage were read; get it again",
    )
    assert (text.outcome, text.message) == ("too_large", "expected at most 33,554,432 bytes, found more")
