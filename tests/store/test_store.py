import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trialscrape.page import Match as PageMatch
from trialscrape.page import Page as SavedPage
from trialscrape.sources.files import pages_in
from trialscrape.store import database as database_module
from trialscrape.store.database import APPLICATION_ID, MIGRATIONS, as_text, as_time, is_store
from trialscrape.store.store import Fetched, KeptAnswer, Match, Row, Store, StoreError, run_key

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
LATEST = NOON + timedelta(hours=2)
URL = "https://ctv.example/study/walking-for-knee-pain"
OTHER = "https://ctv.example/study/swimming-for-knee-pain"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trialscrape.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as store:
        yield store


def fetched(body: bytes = b"<p>walking</p>", at: datetime = NOON, url: str = URL, etag: str | None = '"1"') -> Fetched:
    return Fetched(url, url, at, 200, body, etag, "Sun, 01 Mar 2026 12:00:00 GMT", "text/html; charset=utf-8")


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows_of(store: Store, key: str) -> list[Row]:
    return [store.row(key, position) for position in store.finished(key).values()]


def run(script: str, *arguments: object) -> str:
    process = start(script, *arguments)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    return output.strip()


# Pages


def test_a_page_is_kept_as_it_was_fetched(path: Path) -> None:
    body = bytes(range(256)) * 400
    with Store.open(path) as store:
        added = store.add_page(
            Fetched(URL, URL + "-1", NOON, 200, body, '"e"', "date", "text/html"), ids=["NCT99000001"]
        )
        assert added == (1, True)
    with Store.open(path) as store:
        page = store.latest(URL)
    assert page is not None
    assert (page.url, page.final_url, page.fetched_at, page.checked_at) == (URL, URL + "-1", NOON, NOON)
    assert (page.status, page.body, page.etag, page.last_modified) == (200, body, '"e"', "date")
    assert (page.content_type, page.version_id, len(page.sha256)) == ("text/html", 1, 64)


@pytest.mark.parametrize("body", [b"", b"x", os.urandom(300_000)], ids=["empty", "one byte", "incompressible"])
def test_any_body_comes_back(store: Store, body: bytes) -> None:
    store.add_page(fetched(body))
    page = store.latest(URL)
    assert page is not None
    assert page.body == body


def test_an_unchanged_page_only_renews_its_check(store: Store) -> None:
    store.add_page(fetched())
    assert store.add_page(fetched(at=LATER, etag='"2"')) == (1, False)
    (page,) = store.versions(URL)
    assert (page.fetched_at, page.checked_at, page.etag) == (NOON, LATER, '"2"')


def test_the_same_bytes_with_another_status_are_another_version(store: Store) -> None:
    store.add_page(fetched())
    assert store.add_page(Fetched(URL, URL, LATER, 404, b"<p>walking</p>")).is_new


def test_a_page_that_changes_and_changes_back_has_three_versions(store: Store) -> None:
    for hour, body in enumerate((b"a", b"b", b"a")):
        assert store.add_page(fetched(body, NOON + timedelta(hours=hour))).is_new
    assert [page.body for page in store.versions(URL)] == [b"a", b"b", b"a"]
    assert [page.version_id for page in store.all_versions()] == [1, 2, 3]


def test_what_is_fetched_is_the_latest_even_if_the_clock_was_put_back(store: Store) -> None:
    store.add_page(fetched(b"old", LATER))
    store.add_page(fetched(b"new", NOON))
    page = store.latest(URL)
    assert page is not None
    assert (page.body, page.fetched_at) == (b"new", LATER)


def test_an_archive_gives_older_versions(store: Store) -> None:
    store.add_page(fetched(b"new", LATER))
    assert store.add_page(fetched(b"old", NOON), historic=True).is_new
    assert not store.add_page(fetched(b"old", NOON), historic=True).is_new
    assert not store.add_page(fetched(b"new", LATER), historic=True).is_new
    assert store.add_page(fetched(b"newest", LATEST), historic=True).is_new
    assert [page.body for page in store.versions(URL)] == [b"old", b"new", b"newest"]


def test_not_modified(store: Store) -> None:
    store.add_page(fetched())
    store.touch(URL, LATER)
    page = store.latest(URL)
    assert page is not None
    assert page.checked_at == LATER
    store.touch(URL, NOON, last_modified="new date")  # the clock was wrong, and was put back
    page = store.latest(URL)
    assert page is not None
    assert (page.checked_at, page.etag, page.last_modified) == (NOON, '"1"', "new date")


def test_not_modified_needs_a_page(store: Store, path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        store.touch(URL, LATER)
    assert str(caught.value) == f"{path}: expected a page that is kept, found none of {URL}: add it first"


def test_a_time_without_its_zone_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="expected a time with its zone, found 2026-03-01T12:00:00"):
        store.add_page(fetched(at=NOON.replace(tzinfo=None)))
    assert store.latest(URL) is None


def test_pages_come_in_the_order_of_their_addresses_with_their_latest_version(store: Store) -> None:
    store.add_page(fetched(b"1"))
    store.add_page(fetched(b"2", url=OTHER))
    store.add_page(fetched(b"3", LATER))
    assert [(page.url, page.body) for page in store.pages()] == [(URL, b"3"), (OTHER, b"2")]


def test_pages_may_be_added_while_they_are_read(store: Store) -> None:
    store.add_page(fetched())
    urls = []
    for page in store.pages():
        urls.append(page.url)
        if len(urls) < 5:
            store.add_page(fetched(url=f"{URL}-{len(urls)}"))
    assert urls == [URL, *(f"{URL}-{number}" for number in range(1, 5))]


def test_threads_take_turns(store: Store) -> None:
    def add(name: int) -> None:
        for number in range(20):
            store.add_page(fetched(url=f"{URL}-{name}-{number}"), ids=[f"NCT99{name:03}{number:03}"])
            assert store.latest(f"{URL}-{name}-{number}")

    threads = [threading.Thread(target=add, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(1 for _ in store.pages()) == 80


def test_a_transaction_is_whole_or_nothing(store: Store) -> None:
    with pytest.raises(KeyError), store.transaction():  # noqa: PT012  # what is undone is the point
        store.add_page(fetched())
        with store.transaction():
            store.add_page(fetched(url=OTHER))
        raise KeyError
    assert list(store.pages()) == []
    store.add_page(fetched())
    assert len(list(store.pages())) == 1


def test_a_body_that_was_damaged_is_never_given(path: Path) -> None:
    with Store.open(path) as store:
        store.add_page(fetched())
    database = sqlite3.connect(path)
    database.execute("UPDATE version SET body = zeroblob(20)")
    database.commit()
    database.close()
    with Store.open(path) as store, pytest.raises(StoreError) as caught:
        store.latest(URL)
    assert str(caught.value) == (
        f"{path}: the body of {URL} kept at 2026-03-01T12:00:00Z is not what was written: the file is damaged; keep a"
        " copy, and start with a new store"
    )


def test_the_pages_of_a_store_come_with_all_that_parsing_needs(path: Path) -> None:
    with Store.open(path) as store:
        store.add_page(Fetched(URL, f"{URL}-1", NOON, 200, b"body", content_type="text/html; charset=windows-1251"))
        store.set_match("NCT99000009", URL, Match("title+facts", "NCT99000001"))
    assert list(pages_in(str(path))) == [
        SavedPage(
            file=f"{path}!{URL}",
            url=f"{URL}-1",
            body=b"body",
            content_type="text/html; charset=windows-1251",
            match=PageMatch("title+facts", "NCT99000001"),
        )
    ]


# Ids


ONE, TWO, CURRENT = "NCT99000001", "NCT99000002", "NCT99000003"
BY_ID, BY_TITLE = Match("nct_id", ONE), Match("title+summary", CURRENT)


def test_the_page_of_an_id_is_the_one_that_was_matched(store: Store) -> None:
    store.add_page(fetched(), ids=[ONE])
    store.add_page(fetched(url=OTHER), ids=[ONE, TWO])
    assert (store.for_id(ONE), store.is_known(ONE)) == (None, False)
    store.set_match(ONE, OTHER, BY_ID)
    known = store.for_id(ONE)
    assert known is not None
    assert (known.page.url, known.match, store.is_known(ONE)) == (OTHER, BY_ID, True)
    assert store.ids_of(OTHER) == (ONE, TWO)
    store.set_match(ONE, OTHER, None)
    assert (store.for_id(ONE), store.is_known(ONE)) == (None, False)


def test_a_changed_page_must_be_matched_again(store: Store) -> None:
    store.add_page(fetched())
    store.set_match(ONE, URL, BY_ID)
    store.add_page(fetched(b"<p>another study</p>", LATER))
    known, latest = store.for_id(ONE), store.latest(URL)
    assert known is not None
    assert latest is not None
    assert known.page.body == b"<p>walking</p>"
    assert known.page.version_id != latest.version_id
    assert (store.match_of(known.page.version_id), store.match_of(latest.version_id)) == (BY_ID, None)
    store.set_match(ONE, URL, BY_TITLE)
    known = store.for_id(ONE)
    assert known is not None
    assert (known.page.version_id, known.match) == (latest.version_id, BY_TITLE)


def test_of_two_matched_pages_the_one_checked_last_counts(store: Store) -> None:
    for url in (URL, OTHER):
        store.add_page(fetched(url=url))
        store.set_match(ONE, url, BY_ID)
    store.touch(URL, LATER)
    known = store.for_id(ONE)
    assert known is not None
    assert known.page.url == URL


def test_a_page_is_one_studys(store: Store) -> None:
    version_id = store.add_page(fetched(), ids=[ONE]).version_id
    assert store.match_of(version_id) is None
    store.set_match(ONE, URL, BY_TITLE)
    store.set_match(CURRENT, URL, Match("title+sponsor", CURRENT))
    assert store.match_of(version_id) == BY_TITLE
    # Of two studies, neither is known to be the right one.
    store.set_match(TWO, URL, Match("title+sponsor", TWO))
    assert store.match_of(version_id) is None


def test_another_site_s_page_is_no_answer(store: Store) -> None:
    there = "https://ctv.example.org/study/walking-for-knee-pain"
    store.add_page(fetched(url=there))
    store.set_match(ONE, there, BY_ID)
    assert store.for_id(ONE, under="https://ctv.example/study/") is None
    assert store.for_id(ONE, under="https://ctv.example.org/s%dy/") is None
    store.add_page(fetched())
    store.set_match(ONE, URL, BY_ID)
    store.touch(there, LATEST)
    for under, url in {"https://ctv.example/study/": URL, "https://ctv.example.org/": there, "": there}.items():
        known = store.for_id(ONE, under=under)
        assert known is not None
        assert known.page.url == url


def test_a_match_needs_a_page(store: Store) -> None:
    with pytest.raises(StoreError, match="expected a page that is kept"):
        store.set_match(ONE, URL, BY_ID)


def test_how_a_visitor_came_to_a_page_is_dropped(store: Store) -> None:
    came = 'https://ctv.example/study/walking-for-knee-pain?comeFrom={"type":"site"}'
    assert store.add_page(fetched(url=came)).is_new
    (page,) = store.pages()
    assert (page.url, page.final_url) == (URL, URL)
    assert not store.add_page(fetched()).is_new


# Pages that end the process

PARSE = """
import os, signal, sys
from trialscrape.store.store import Store
with Store.open(sys.argv[1]) as store:
    page = store.latest(sys.argv[2])
    store.begin_parsing(page.version_id)
    assert not store.died_parsing(page.version_id)
    if sys.argv[3] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    store.end_parsing(page.version_id)
"""


def died_parsing(path: Path) -> list[bool]:
    with Store.open(path) as store:
        return [store.died_parsing(page.version_id) for page in store.pages()]


def test_a_page_of_which_a_process_died_is_known_to_the_next(path: Path) -> None:
    with Store.open(path) as store:
        store.add_page(fetched())
        store.add_page(fetched(url=OTHER))
    for url, how, died in [(URL, "live", [False, False]), (OTHER, "die", [False, True]), (OTHER, "die", [False, True])]:
        start(PARSE, path, url, how).communicate()
        assert died_parsing(path) == died
    with Store.open(path) as store:
        store.begin_parsing(2)
        assert store.died_parsing(2)  # until it is parsed without harm
        store.end_parsing(2)
        assert not store.died_parsing(2)
        store.begin_parsing(1)
        store.begin_parsing(1)  # by another thread
        assert not store.died_parsing(1)
        store.end_parsing(1)
        store.end_parsing(1)
    assert died_parsing(path) == [False, False]


def test_a_changed_page_is_parsed_again(path: Path) -> None:
    with Store.open(path) as store:
        store.add_page(fetched())
    start(PARSE, path, URL, "die").communicate()
    with Store.open(path) as store:
        store.add_page(fetched(b"shorter", LATER))
    assert died_parsing(path) == [False]


def test_what_is_not_synced_survives_the_process_and_leaves_the_rest_synced(store: Store, path: Path) -> None:
    def safety() -> int:
        return int(store._some("PRAGMA synchronous")[0])  # noqa: SLF001  # nothing else shows it but a power cut

    store.add_page(fetched())
    store.begin_parsing(1)
    assert safety() == 1  # NORMAL
    store.end_parsing(1)
    store.add_page(fetched(url=OTHER))
    assert safety() == 2  # FULL
    with store.transaction():
        store.begin_parsing(2)
        assert safety() == 2
    with Store.open(path, lock=False) as reader:
        assert reader._one("SELECT version_id FROM parsing")  # noqa: SLF001  # likewise


# Runs


def test_a_run_is_gone_on_with(path: Path) -> None:
    key = run_key(["NCT99000001", "NCT99000002"])
    rows = [Row(position, f"NCT990{position:05}", '{"outcome": "ok"}', "{}\n") for position in range(450)]
    with Store.open(path) as store:
        store.begin_run(key, NOON)
        assert store.finished(key) == {}
        for row in reversed(rows[:-1]):
            store.finish(key, row)
        store.finish(key, Row(449, "NCT99000449", '{"outcome": "interrupted"}', None))
        store.finish(key, rows[-1])
    with Store.open(path) as store:
        store.begin_run(key, LATER)
        assert rows_of(store, key) == rows
        assert list(store.finished(key).items())[:2] == [("NCT99000000", 0), ("NCT99000001", 1)]
        store.end_run(key)
        assert store.finished(key) == {}


def test_ids_of_some_outcomes_count_as_unfinished(store: Store) -> None:
    store.begin_run("key", NOON)
    for position, outcome in enumerate(("ok", "timeout", "mismatch")):
        store.finish("key", Row(position, f"NCT9900000{position}", f'{{"outcome": "{outcome}"}}', None))
    assert list(store.finished("key").values()) == [0, 1, 2]
    assert list(store.finished("key", without={"timeout", "server_error"}).values()) == [0, 2]
    store.finish("key", Row(1, "NCT99000001", '{"outcome": "ok"}', None))
    assert list(store.finished("key", without={"timeout"}).values()) == [0, 1, 2]


def test_the_registrys_answers_are_kept_with_their_run(path: Path) -> None:
    kept = [KeptAnswer(ONE, 1, '{"status": "found"}'), KeptAnswer(TWO, 0, None)]
    with Store.open(path) as store:
        store.begin_run("key", NOON)
        store.keep_answers("key", kept)
    with Store.open(path) as store:
        assert [store.kept_answer("key", nct_id) for nct_id in (ONE, TWO, CURRENT)] == [*kept, None]
        assert store.kept_answer("another", ONE) is None
        store.keep_answers("key", [KeptAnswer(TWO, 3, "{}")])
        store.drop_answer("key", ONE)
        assert [store.kept_answer("key", nct_id) for nct_id in (ONE, TWO)] == [None, KeptAnswer(TWO, 3, "{}")]
        store.end_run("key")
        assert store.kept_answer("key", TWO) is None


def test_an_id_is_finished_once(store: Store) -> None:
    store.begin_run("key", NOON)
    store.finish("key", Row(0, "NCT99000001", "{}", None))
    with pytest.raises(StoreError, match="it cannot be used as asked"):
        store.finish("key", Row(1, "NCT99000001", "{}", None))
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.finish("another", Row(0, "NCT99000001", "{}", None))


def test_the_key_of_a_run_tells_what_was_asked_apart() -> None:
    assert run_key(["ab", "c"]) != run_key(["a", "bc"])
    assert run_key(["ab", "c"]) == run_key(("ab", "c"))


# Opening


def test_a_store_is_held_by_one(store: Store, path: Path) -> None:
    store.add_page(fetched())
    with pytest.raises(StoreError) as caught:
        Store.open(path)
    assert str(caught.value) == (
        f"{path}: expected to use the store alone, found it in use by process {os.getpid()}: wait for that run to end"
        f" or stop it, or name another store. The lock {path}.lock ends with its process and need not be removed"
    )


def test_a_store_can_be_read_beside_the_one_who_holds_it(store: Store, path: Path) -> None:
    store.add_page(fetched())
    with Store.open(path, lock=False) as reader:
        assert reader.latest(URL)
        store.add_page(fetched(url=OTHER))
        assert reader.latest(OTHER)
        with pytest.raises(StoreError, match="it cannot be written"):
            reader.add_page(fetched(b"", LATER))


HOLD = """
import sys, time
from trialscrape.store.store import Store
with Store.open(sys.argv[1]) as store:
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_of_a_killed_process_is_gone(path: Path) -> None:
    holder = start(HOLD, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StoreError, match=f"in use by process {holder.pid}:"):
        Store.open(path)
    holder.kill()
    holder.communicate()
    with Store.open(path) as store:
        assert list(store.pages()) == []


def test_another_name_of_the_file_is_the_same_lock(store: Store, path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    assert store
    with pytest.raises(StoreError, match="expected to use the store alone"):
        Store.open(link)


def made_by_another(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE recipe (name TEXT)")
    database.commit()
    database.close()


def made_by_a_newer(path: Path) -> None:
    Store.open(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()


NEWER = (
    f"expected a store of version {len(MIGRATIONS)} or older, found version 99: a newer trialscrape wrote it; update"
    " trialscrape, or name another store"
)
TEXT = (
    "expected a store made by trialscrape, found another kind of file: name another store (SQLITE_NOTADB: file is not a"
    " database)"
)
REFUSED = [
    (made_by_another, "expected a store made by trialscrape, found another SQLite file: name another store"),
    (made_by_a_newer, NEWER),
    (lambda path: path.write_text("NCT99000001\n" * 200), TEXT),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=["foreign", "newer", "text"])
@pytest.mark.parametrize("lock", [True, False])
def test_a_file_that_is_no_store_of_ours_is_refused_and_left_alone(
    path: Path,
    make: object,
    message: str,
    lock: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    assert callable(make)
    make(path)
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        Store.open(path, lock=lock)
    assert str(caught.value) == f"{path}: {message}"
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["a b.db", "100%41.db", "what?mode=ro.db", "a#b.db", "étude.db"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    with Store.open(tmp_path / name) as store:
        store.add_page(fetched())
    assert sorted(file.name for file in tmp_path.iterdir()) == [name, f"{name}.lock"]
    with Store.open(tmp_path / name, lock=False) as store:
        assert store.latest(URL)


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="it cannot be opened: check that you may read and write the file"):
        Store.open(tmp_path)


def test_a_store_needs_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "none" / "trialscrape.db"
    with pytest.raises(StoreError) as caught:
        Store.open(path)
    assert str(caught.value) == f"{path}: expected a folder to put the store in, found no {path.parent}: make it first"


def test_reading_needs_a_store(path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        Store.open(path, lock=False)
    assert str(caught.value) == f"{path}: expected a store, found no such file: `trialscrape scrape` makes one"


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    with Store.open(path) as store:
        store.add_page(fetched())
        assert store.latest(URL)


@pytest.mark.parametrize("size", [0, 512])
def test_a_store_that_is_being_made_reads_as_empty(path: Path, size: int) -> None:
    path.touch()
    Path(f"{path}-journal").write_bytes(bytes(size))
    with Store.open(path, lock=False) as store:
        assert list(store.pages()) == []
        assert store.index_status().slugs == 0
        assert store.for_id("NCT99000001") is None
        with pytest.raises(StoreError, match="it cannot be written"):
            store.add_page(fetched())
    assert path.read_bytes() == b""


def test_a_new_store_is_known_as_one_before_its_log_is_written_back(store: Store, path: Path) -> None:
    store.add_page(fetched())
    assert is_store(path)


def test_a_link_in_place_of_the_lock_is_refused_and_not_followed(path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    place = Path(f"{path}.lock")
    for make, kind in ((place.symlink_to, "symbolic"), (place.hardlink_to, "hard")):
        make(victim)
        with pytest.raises(StoreError) as caught:
            Store.open(path)
        assert str(caught.value) == (
            f"{path}: cannot write {place}: it is a {kind} link. Remove it, or name another file"
        )
        place.unlink()
    assert (victim.read_bytes(), path.exists()) == (b"precious", False)
    place.symlink_to(tmp_path / "made")
    with pytest.raises(StoreError, match="it is a symbolic link"):
        Store.open(path)
    assert not (tmp_path / "made").exists()


def test_times_are_ordered_as_texts_from_the_first_year_to_the_last() -> None:
    times = [datetime(year, 1, 1, tzinfo=UTC) for year in (1, 999, 2026, 9999)]
    texts = [as_text(time) for time in times]
    assert texts == sorted(texts)
    assert [as_time(text) for text in texts] == times
    assert texts[0] == "0001-01-01T00:00:00Z"


def test_a_damaged_file_is_told(path: Path) -> None:
    with Store.open(path) as store:
        store.add_page(fetched(os.urandom(100_000)))
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 60_000)
    with pytest.raises(StoreError, match="the file is damaged: keep a copy, and start with a new store"):  # noqa: SIM117  # whichever of them meets it
        with Store.open(path) as store:
            list(store.pages())


# What older versions wrote of a page that was matched to NCT99000000, NCT99000001 and so on.
PROOFS = [
    (URL, "title NCT99000009"),
    (f"{URL}-1", "nct_id NCT99000001"),
    (f"{URL}-2", "current_nct_id NCT99000008"),
    (f'{OTHER}?comeFrom={{"type":"site"}}', "nct_id"),
]
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


def older_store(path: Path, version: int) -> None:
    """Make a file as the code of an older version made it."""
    database = sqlite3.connect(path)
    for statements in MIGRATIONS[:version]:
        for statement in statements:
            database.execute(statement)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {version}")
    database.execute("INSERT INTO run VALUES ('key', '2026-03-01T12:00:00Z')")
    database.execute("INSERT INTO finished VALUES ('key', 0, 'NCT99000001', '{}', NULL)")
    for number, (url, proof) in enumerate(PROOFS):
        kept = (number, url, url, NOON.isoformat(), NOON.isoformat(), EMPTY_SHA256, zlib.compress(b""))
        database.execute("INSERT INTO page VALUES (?, ?)", kept[:2])
        database.execute("INSERT INTO version VALUES (?1, ?1, ?3, ?4, ?5, 200, NULL, NULL, NULL, ?6, 0, ?7)", kept)
        database.execute("INSERT INTO asked VALUES (?, ?, ?, ?)", (f"NCT9900000{number}", number, number, proof))
    database.commit()
    database.close()


@pytest.mark.parametrize("lock", [True, False])
@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_an_older_store_is_brought_up_to_date(path: Path, version: int, lock: bool) -> None:  # noqa: FBT001  # a parameter
    older_store(path, version)
    with Store.open(path, lock=lock) as store:
        known = [store.for_id(f"NCT9900000{number}") for number in range(4)]
        assert [(each.page.url, each.page.final_url, *each.match) for each in known if each] == [
            (URL, URL, "title+sponsor", "NCT99000009"),
            (f"{URL}-1", f"{URL}-1", "nct_id", "NCT99000001"),
            (f"{URL}-2", f"{URL}-2", "current_nct_id", "NCT99000008"),
            (OTHER, OTHER, "nct_id", "NCT99000003"),
        ]
        # The rows of an interrupted run had another shape.
        assert store.finished("key") == {}
        assert store.index_status().slugs == 0
        assert store.near("walking-for-knee-pain") == ()
        assert not store.died_parsing(1)
    with Store.open(path) as store:
        store.replace_shard("s", ["walking-for-knee-pain"], NOON)


def test_a_migration_that_fails_leaves_the_older_store(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older_store(path, 1)
    broken = (*MIGRATIONS[1], "CREATE TABLE run (again TEXT)")
    monkeypatch.setattr(database_module, "MIGRATIONS", (MIGRATIONS[0], broken))
    with pytest.raises(StoreError, match="table run already exists"):
        Store.open(path)
    monkeypatch.undo()
    with Store.open(path) as store:
        assert store.is_known("NCT99000001")


def test_sqlite_without_fts5_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "_INDEX_MODULE", "fts_that_was_left_out")
    with pytest.raises(StoreError) as caught:
        Store.open(path)
    assert str(caught.value) == (
        f"{path}: this Python's SQLite was built without fts_that_was_left_out, which the slug index needs: use a"
        " Python whose SQLite has it (those of python.org and of the common distributions do)"
    )


# What can happen to the disk and the process

WRITE = """
import sys
from datetime import datetime, UTC
from trialscrape.store.store import Store, Fetched, Match, Row
now = datetime.now(UTC)
with Store.open(sys.argv[1]) as store:
    store.begin_run("key", now)
    number = len(store.finished("key"))
    while True:
        nct_id, url = f"NCT99{number:06}", f"https://ctv.example/study/{number}"
        store.add_page(Fetched(url, url, now, 200, b"page %d " % number * 2000), ids=[nct_id])
        store.set_match(nct_id, url, Match("nct_id", nct_id))
        store.finish("key", Row(number, nct_id, '{"outcome": "ok"}', f"record {number}"))
        print(number, flush=True)
        number += 1
"""


def test_a_killed_run_has_all_that_it_said_was_finished(path: Path) -> None:
    chance = random.Random(3)  # noqa: S311  # moments to kill at, not secrets
    said = -1
    for _ in range(25):
        writer = start(WRITE, path)
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(chance.random() * 0.06)
        writer.send_signal(signal.SIGKILL)
        said = int((first + writer.communicate()[0]).split("\n")[-2])
        with Store.open(path, lock=False) as reader:
            rows = rows_of(reader, "key")
        with Store.open(path) as store:
            assert rows_of(store, "key") == rows
            assert len(rows) in (said + 1, said + 2)  # the last may be written and not yet said
            assert rows == [Row(n, f"NCT99{n:06}", '{"outcome": "ok"}', f"record {n}") for n in range(len(rows))]
    with Store.open(path) as store:
        for row in rows:
            known = store.for_id(row.nct_id)
            assert known is not None
            assert known.page.body == b"page %d " % row.position * 2000
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    assert said > 20


FILL = """
import os, resource, sys
from datetime import datetime, UTC
from trialscrape.store.store import Store, StoreError, Fetched, Row
now = datetime.now(UTC)
store = Store.open(sys.argv[1])
store.begin_run("key", now)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
number = 0
try:
    while True:
        url = f"https://ctv.example/study/{number}"
        store.add_page(Fetched(url, url, now, 200, os.urandom(100_000)))
        store.finish("key", Row(number, f"NCT99{number:06}", '{"outcome": "ok"}', "record"))
        number += 1
except StoreError as error:
    print(number, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert len(store.finished("key")) == number
store.finish("key", Row(number, "NCT99999999", '{"outcome": "ok"}', "record"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on file sizes is one of POSIX")
def test_a_full_disk_is_told_and_loses_nothing(path: Path) -> None:
    number, message = run(FILL, path).split(" ", 1)
    assert message.startswith(f"{path}: ")
    assert "give the same command again, all that was finished is kept" in message
    with Store.open(path) as store:
        assert len(store.finished("key")) == int(number) + 1 > 5
        assert sum(1 for _ in store.pages()) >= int(number)


AS_NOBODY = """
import os, sys
from trialscrape.store.store import Store, StoreError
if os.geteuid() == 0:
    os.setuid(65534)
for lock in (True, False):
    try:
        with Store.open(sys.argv[1], lock=lock) as store:
            print([page.body for page in store.pages()])
    except StoreError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="modes of folders are those of POSIX")
def test_a_read_only_folder_can_be_read_and_tells_that_it_cannot_be_written(open_folder: Path) -> None:
    path = open_folder / "trialscrape.db"
    with Store.open(path) as store:
        store.add_page(fetched())
    Path(f"{path}.lock").unlink()
    path.chmod(0o444)
    open_folder.chmod(0o555)
    written, read = run(AS_NOBODY, path).split("\n")
    open_folder.chmod(0o755)
    assert written.startswith(f"{path}: it cannot be opened: check that you may read and write the file and its folder")
    assert read == "[b'<p>walking</p>']"


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files are those of POSIX")
def test_a_file_that_may_not_be_read_is_told(open_folder: Path) -> None:
    path = open_folder / "trialscrape.db"
    Store.open(path).close()
    path.chmod(0)
    open_folder.chmod(0o755)
    for message in run(AS_NOBODY, path).split("\n"):
        assert message.startswith(f"{path}: it cannot be opened: check that you may read and write the file")
