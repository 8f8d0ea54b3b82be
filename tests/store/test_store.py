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
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trialscrape.errors import StoreError
from trialscrape.page import Match, Page
from trialscrape.results import Outcome
from trialscrape.sources.files import read_pages
from trialscrape.store import database as database_module
from trialscrape.store.database import APPLICATION_ID, MIGRATIONS, format_time, is_store, parse_time
from trialscrape.store.pages import Added, PageVersion
from trialscrape.store.runs import FinishedId, KeptAnswer, PageNote
from trialscrape.store.store import Store

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


def add(  # noqa: PLR0913  # each test changes one or two of them
    store: Store,
    body: bytes = b"<p>walking</p>",
    at: datetime = NOON,
    *,
    url: str = URL,
    status: int = 200,
    etag: str = '"1"',
    ids: Sequence[str] = (),
    historic: bool = False,
) -> Added:
    page = Page(body, "text/html; charset=utf-8", fetched_at=at, etag=etag, last_modified="date")
    return store.pages.add(url, page, status=status, ids=ids, historic=historic)


def latest(store: Store, url: str = URL) -> PageVersion:
    kept = store.pages.latest(url)
    assert kept is not None
    return kept


def matched(store: Store, nct_id: str, under: str = "https://") -> tuple[PageVersion, Match]:
    found = store.pages.find_matched(nct_id, under=under)
    assert found is not None
    return found


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows_of(store: Store, key: str) -> list[FinishedId]:
    return [store.runs.get_finished(key, position) for position in store.runs.list_finished(key).values()]


def run(script: str, *arguments: object) -> str:
    process = start(script, *arguments)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    return output.strip()


# Pages


def test_a_page_is_kept_as_it_was_fetched(path: Path) -> None:
    body = bytes(range(256)) * 400
    with Store.open(path) as store:
        page = Page(body, "text/html", f"{URL}-1", fetched_at=NOON, etag='"e"', last_modified="date")
        assert store.pages.add(URL, page, ids=["NCT99000001"]) == (1, "new")
    with Store.open(path) as store:
        kept = latest(store)
    assert (kept.url, kept.page, kept.status, kept.checked_at) == (URL, page, 200, NOON)
    assert (kept.version_id, kept.sha256) == (1, hashlib.sha256(body).hexdigest())


@pytest.mark.parametrize("body", [b"", b"x", os.urandom(300_000)], ids=["empty", "one byte", "incompressible"])
def test_any_body_comes_back(store: Store, body: bytes) -> None:
    add(store, body)
    assert latest(store).page.body == body


def test_an_unchanged_page_only_renews_its_check(store: Store) -> None:
    add(store)
    assert add(store, at=LATER, etag='"2"') == (1, "unchanged")
    (kept,) = store.pages.versions(URL)
    assert (kept.page.fetched_at, kept.checked_at, kept.page.etag) == (NOON, LATER, '"2"')


def test_the_same_bytes_with_another_status_are_another_version(store: Store) -> None:
    add(store)
    assert add(store, at=LATER, status=404) == (2, "changed")


def test_a_page_that_changes_and_changes_back_has_three_versions(store: Store) -> None:
    for hour, body in enumerate((b"a", b"b", b"a")):
        assert add(store, body, NOON + timedelta(hours=hour)).outcome == ("changed" if hour else "new")
    assert [kept.page.body for kept in store.pages.versions(URL)] == [b"a", b"b", b"a"]
    assert [kept.version_id for kept in store.pages.all_versions()] == [1, 2, 3]


def test_what_is_fetched_is_the_latest_even_if_the_clock_was_put_back(store: Store) -> None:
    add(store, b"old", LATER)
    add(store, b"new", NOON)
    assert (latest(store).page.body, latest(store).page.fetched_at) == (b"new", LATER)


def test_an_archive_gives_older_versions(store: Store) -> None:
    add(store, b"new", LATER)
    assert add(store, b"old", NOON, historic=True).outcome == "changed"
    assert add(store, b"old", NOON, historic=True).outcome == "unchanged"
    assert add(store, b"new", LATER, historic=True).outcome == "unchanged"
    assert add(store, b"newest", LATEST, historic=True).outcome == "changed"
    assert [kept.page.body for kept in store.pages.versions(URL)] == [b"old", b"new", b"newest"]


def test_not_modified(store: Store) -> None:
    add(store)
    store.pages.touch(URL, LATER)
    assert latest(store).checked_at == LATER
    store.pages.touch(URL, NOON, last_modified="new date")  # the clock was wrong, and was put back
    kept = latest(store)
    assert (kept.checked_at, kept.page.etag, kept.page.last_modified) == (NOON, '"1"', "new date")


def test_not_modified_needs_a_page(store: Store, path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        store.pages.touch(URL, LATER)
    assert str(caught.value) == f"{path}: expected a page that is kept, found none of {URL}: add it first"


def test_a_time_without_its_zone_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="expected a time with its zone, found 2026-03-01T12:00:00"):
        add(store, at=NOON.replace(tzinfo=None))
    assert store.pages.latest(URL) is None


def test_pages_come_in_the_order_of_their_addresses_with_their_latest_version(store: Store) -> None:
    add(store, b"1")
    add(store, b"2", url=OTHER)
    add(store, b"3", LATER)
    assert [(kept.url, kept.page.body) for kept in store.pages.all_latest()] == [(URL, b"3"), (OTHER, b"2")]


def test_pages_may_be_added_while_they_are_read(store: Store) -> None:
    add(store)
    urls = []
    for page in store.pages.all_latest():
        urls.append(page.url)
        if len(urls) < 5:
            add(store, url=f"{URL}-{len(urls)}")
    assert urls == [URL, *(f"{URL}-{number}" for number in range(1, 5))]


def test_threads_take_turns(store: Store) -> None:
    def fill(name: int) -> None:
        for number in range(20):
            add(store, url=f"{URL}-{name}-{number}", ids=[f"NCT99{name:03}{number:03}"])
            assert store.pages.latest(f"{URL}-{name}-{number}")

    threads = [threading.Thread(target=fill, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(1 for _ in store.pages.all_latest()) == 80


def test_a_transaction_is_whole_or_nothing(store: Store) -> None:
    with pytest.raises(KeyError), store.transaction():  # noqa: PT012  # what is undone is the point
        add(store)
        with store.transaction():
            add(store, url=OTHER)
        raise KeyError
    assert list(store.pages.all_latest()) == []
    add(store)
    assert len(list(store.pages.all_latest())) == 1


def test_a_body_that_was_damaged_is_never_given(path: Path) -> None:
    with Store.open(path) as store:
        add(store)
    database = sqlite3.connect(path)
    database.execute("UPDATE version SET body = zeroblob(20)")
    database.commit()
    database.close()
    with Store.open(path) as store, pytest.raises(StoreError) as caught:
        store.pages.latest(URL)
    assert str(caught.value) == (
        f"{path}: the body of {URL} kept at 2026-03-01T12:00:00Z is not what was written: the file is damaged; keep a"
        " copy, and start with a new store"
    )


def test_the_pages_of_a_store_come_with_all_that_parsing_needs(path: Path) -> None:
    with Store.open(path) as store:
        page = Page(b"body", "text/html; charset=windows-1251", f"{URL}-1", fetched_at=NOON)
        match = Match("title+facts", "NCT99000001")
        store.pages.set_match("NCT99000009", store.pages.add(URL, page).version_id, match)
    assert list(read_pages(str(path))) == [replace(page, file=f"{path}!{URL}", match=match)]


# Ids


ONE, TWO, CURRENT = "NCT99000001", "NCT99000002", "NCT99000003"
BY_ID, BY_TITLE = Match("nct_id", ONE), Match("title+summary", CURRENT)


def test_the_page_of_an_id_is_the_one_that_was_matched(store: Store) -> None:
    add(store, ids=[ONE])
    version_id = add(store, url=OTHER, ids=[ONE, TWO]).version_id
    assert (store.pages.find_matched(ONE, under=""), store.pages.has_match(ONE)) == (None, False)
    store.pages.set_match(ONE, version_id, BY_ID)
    kept, match = matched(store, ONE)
    assert (kept.url, match, store.pages.has_match(ONE)) == (OTHER, BY_ID, True)
    assert store.pages.list_ids(OTHER) == (ONE, TWO)


def test_a_changed_page_must_be_matched_again(store: Store) -> None:
    old = add(store).version_id
    store.pages.set_match(ONE, old, BY_ID)
    new = add(store, b"<p>another study</p>", LATER).version_id
    kept, _ = matched(store, ONE)
    assert (kept.page.body, kept.version_id) == (b"<p>walking</p>", old)
    assert old != new == latest(store).version_id
    assert (store.pages.find_match(old), store.pages.find_match(new)) == (BY_ID, None)
    store.pages.set_match(ONE, new, BY_TITLE)
    kept, match = matched(store, ONE)
    assert (kept.version_id, match) == (new, BY_TITLE)


def test_of_two_matched_pages_the_one_checked_last_counts(store: Store) -> None:
    for url in (URL, OTHER):
        store.pages.set_match(ONE, add(store, url=url).version_id, BY_ID)
    store.pages.touch(URL, LATER)
    assert matched(store, ONE)[0].url == URL


def test_a_page_is_one_studys(store: Store) -> None:
    version_id = add(store, ids=[ONE]).version_id
    assert store.pages.find_match(version_id) is None
    store.pages.set_match(ONE, version_id, BY_TITLE)
    store.pages.set_match(CURRENT, version_id, Match("title+sponsor", CURRENT))
    assert store.pages.find_match(version_id) == BY_TITLE
    # Of two studies, neither is known to be the right one.
    store.pages.set_match(TWO, version_id, Match("title+sponsor", TWO))
    assert store.pages.find_match(version_id) is None


def test_another_site_s_page_is_no_answer(store: Store) -> None:
    there = "https://ctv.example.org/study/walking-for-knee-pain"
    store.pages.set_match(ONE, add(store, url=there).version_id, BY_ID)
    assert store.pages.find_matched(ONE, under="https://ctv.example/study/") is None
    assert store.pages.find_matched(ONE, under="https://ctv.example.org/s%dy/") is None
    store.pages.set_match(ONE, add(store).version_id, BY_ID)
    store.pages.touch(there, LATEST)
    for under, url in {"https://ctv.example/study/": URL, "https://ctv.example.org/": there, "": there}.items():
        assert matched(store, ONE, under)[0].url == url


def test_a_match_needs_a_page(store: Store) -> None:
    with pytest.raises(StoreError, match="SQLite refused the operation"):
        store.pages.set_match(ONE, 1, BY_ID)


def test_the_referrer_in_an_address_is_dropped(store: Store) -> None:
    came = 'https://ctv.example/study/walking-for-knee-pain?comeFrom={"type":"site"}'
    assert add(store, url=came).outcome == "new"
    (kept,) = store.pages.all_latest()
    assert (kept.url, kept.page.url) == (URL, URL)
    assert add(store).outcome == "unchanged"


# Pages that end the process

PARSE = """
import os, signal, sys
from trialscrape.store.store import Store
with Store.open(sys.argv[1]) as store:
    page = store.pages.latest(sys.argv[2])
    store.pages.begin_parsing(page.version_id)
    assert not store.pages.died_parsing(page.version_id)
    if sys.argv[3] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    store.pages.end_parsing(page.version_id)
"""


def died_parsing(path: Path) -> list[bool]:
    with Store.open(path) as store:
        return [store.pages.died_parsing(page.version_id) for page in store.pages.all_latest()]


def test_a_page_of_which_a_process_died_is_known_to_the_next(path: Path) -> None:
    with Store.open(path) as store:
        add(store)
        add(store, url=OTHER)
    for url, end, died in [(URL, "live", [False, False]), (OTHER, "die", [False, True]), (OTHER, "die", [False, True])]:
        start(PARSE, path, url, end).communicate()
        assert died_parsing(path) == died
    with Store.open(path) as store:
        store.pages.begin_parsing(2)
        assert store.pages.died_parsing(2)  # until it is parsed without harm
        store.pages.end_parsing(2)
        assert not store.pages.died_parsing(2)
        store.pages.begin_parsing(1)
        store.pages.begin_parsing(1)  # by another thread
        assert not store.pages.died_parsing(1)
        store.pages.end_parsing(1)
        store.pages.end_parsing(1)
    assert died_parsing(path) == [False, False]


def test_a_changed_page_is_parsed_again(path: Path) -> None:
    with Store.open(path) as store:
        add(store)
    start(PARSE, path, URL, "die").communicate()
    with Store.open(path) as store:
        add(store, b"shorter", LATER)
    assert died_parsing(path) == [False]


def test_what_is_not_synced_survives_the_process_and_leaves_the_rest_synced(store: Store, path: Path) -> None:
    def safety() -> int:
        return int(store.database.fetch_row("PRAGMA synchronous")[0])  # nothing else shows it but a power cut

    add(store)
    store.pages.begin_parsing(1)
    assert safety() == 1  # NORMAL
    store.pages.end_parsing(1)
    add(store, url=OTHER)
    assert safety() == 2  # FULL
    with store.transaction():
        store.pages.begin_parsing(2)
        assert safety() == 2
    with Store.open(path, lock=False) as reader:
        assert reader.database.find_row("SELECT version_id FROM parsing")  # likewise


# Runs


def test_a_run_is_resumed(path: Path) -> None:
    key = "key"
    rows = [FinishedId(position, f"NCT990{position:05}", '{"outcome": "ok"}', "{}\n") for position in range(450)]
    with Store.open(path) as store:
        store.runs.begin(key, NOON)
        assert store.runs.list_finished(key) == {}
        for row in reversed(rows[:-1]):
            store.runs.finish_id(key, row)
        store.runs.finish_id(key, FinishedId(449, "NCT99000449", '{"outcome": "interrupted"}', None))
        store.runs.finish_id(key, rows[-1])
    with Store.open(path) as store:
        store.runs.begin(key, LATER)
        assert rows_of(store, key) == rows
        assert list(store.runs.list_finished(key).items())[:2] == [("NCT99000000", 0), ("NCT99000001", 1)]
        store.runs.end(key)
        assert store.runs.list_finished(key) == {}


@pytest.mark.parametrize(
    ("now", "not_before", "kept"),
    [(LATEST, None, 1), (LATEST, NOON, 1), (LATER, LATER, 1), (LATEST, LATEST, 0), (NOON, NOON, 0)],
)
def test_a_run_that_is_old_or_of_the_future_begins_again(
    store: Store, now: datetime, not_before: datetime | None, kept: int
) -> None:
    for key in ("key", "another"):
        store.runs.begin(key, LATER)
        store.runs.finish_id(key, FinishedId(0, "NCT99000001", '{"outcome": "ok"}', None))
    store.runs.begin("key", now, not_before=not_before)
    assert [len(store.runs.list_finished(key)) for key in ("key", "another")] == [kept, 1]


def test_ids_of_some_outcomes_count_as_unfinished(store: Store) -> None:
    store.runs.begin("key", NOON)
    for position, outcome in enumerate(("ok", "timeout", "mismatch")):
        store.runs.finish_id("key", FinishedId(position, f"NCT9900000{position}", f'{{"outcome": "{outcome}"}}', None))
    assert list(store.runs.list_finished("key").values()) == [0, 1, 2]
    assert list(store.runs.list_finished("key", without={"timeout", "server_error"}).values()) == [0, 2]
    store.runs.finish_id("key", FinishedId(1, "NCT99000001", '{"outcome": "ok"}', None))
    assert list(store.runs.list_finished("key", without={"timeout"}).values()) == [0, 1, 2]


def test_the_registrys_answers_are_kept_with_their_run(path: Path) -> None:
    kept = [KeptAnswer(ONE, 1, '{"status": "found"}'), KeptAnswer(TWO, 0, None)]
    with Store.open(path) as store:
        store.runs.begin("key", NOON)
        store.runs.keep_answers("key", kept)
    with Store.open(path) as store:
        assert [store.runs.find_answer("key", nct_id) for nct_id in (ONE, TWO, CURRENT)] == [*kept, None]
        assert store.runs.find_answer("another", ONE) is None
        store.runs.keep_answers("key", [KeptAnswer(TWO, 3, "{}")])
        store.runs.drop_answer("key", ONE)
        assert [store.runs.find_answer("key", nct_id) for nct_id in (ONE, TWO)] == [None, KeptAnswer(TWO, 3, "{}")]
        store.runs.end("key")
        assert store.runs.find_answer("key", TWO) is None


def test_an_id_is_finished_once(store: Store) -> None:
    store.runs.begin("key", NOON)
    store.runs.finish_id("key", FinishedId(0, "NCT99000001", "{}", None))
    with pytest.raises(StoreError, match="SQLite refused the operation"):
        store.runs.finish_id("key", FinishedId(1, "NCT99000001", "{}", None))
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.runs.finish_id("another", FinishedId(0, "NCT99000001", "{}", None))


def test_how_a_run_got_a_page_is_kept_with_the_run(path: Path) -> None:
    note = PageNote(Outcome.CHANGED, 3)
    with Store.open(path) as store:
        store.runs.begin("key", NOON)
        store.runs.note_page("key", ONE, URL, PageNote(Outcome.NEW, 1))
        store.runs.note_page("key", ONE, URL, note)
    with Store.open(path) as store:
        assert store.runs.find_page_note("key", ONE, URL) == note
        assert [store.runs.find_page_note(*place) for place in (("key", TWO, URL), ("key", ONE, OTHER))] == [None] * 2
        store.runs.end("key")
        assert store.runs.find_page_note("key", ONE, URL) is None


# Opening


def test_a_store_is_held_by_one(store: Store, path: Path) -> None:
    add(store)
    with pytest.raises(StoreError) as caught:
        Store.open(path)
    assert str(caught.value) == (
        f"{path}: expected to use the store alone, found it in use by process {os.getpid()}: wait for that run to end"
        f" or stop it, or name another store. The lock {path}.lock ends with its process and need not be removed"
    )


def test_a_store_can_be_read_beside_the_one_who_holds_it(store: Store, path: Path) -> None:
    add(store)
    with Store.open(path, lock=False) as reader:
        assert reader.pages.latest(URL)
        add(store, url=OTHER)
        assert reader.pages.latest(OTHER)
        with pytest.raises(StoreError, match="it cannot be written"):
            add(reader, b"", LATER)


HOLD = """
import sys, time
from trialscrape.store.store import Store
with Store.open(sys.argv[1]) as store:
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_of_a_killed_process_ends_with_it(path: Path) -> None:
    holder = start(HOLD, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StoreError, match=f"in use by process {holder.pid}:"):
        Store.open(path)
    holder.kill()
    holder.communicate()
    with Store.open(path) as store:
        assert list(store.pages.all_latest()) == []


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
def test_a_file_that_is_no_store_is_refused_and_left_alone(
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
        add(store)
    assert sorted(file.name for file in tmp_path.iterdir()) == [name, f"{name}.lock"]
    with Store.open(tmp_path / name, lock=False) as store:
        assert store.pages.latest(URL)


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
        add(store)
        assert store.pages.latest(URL)


@pytest.mark.parametrize("size", [0, 512])
def test_a_store_that_is_being_made_reads_as_empty(path: Path, size: int) -> None:
    path.touch()
    Path(f"{path}-journal").write_bytes(bytes(size))
    with Store.open(path, lock=False) as store:
        assert list(store.pages.all_latest()) == []
        assert store.slugs.status().slugs == 0
        assert store.pages.find_matched("NCT99000001", under="") is None
        with pytest.raises(StoreError, match="it cannot be written"):
            add(store)
    assert path.read_bytes() == b""


def test_a_new_store_is_known_as_one_before_its_log_is_written_back(store: Store, path: Path) -> None:
    add(store)
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


def test_times_are_ordered_format_times_from_the_first_year_to_the_last() -> None:
    times = [datetime(year, 1, 1, tzinfo=UTC) for year in (1, 999, 2026, 9999)]
    texts = [format_time(time) for time in times]
    assert texts == sorted(texts)
    assert [parse_time(text) for text in texts] == times
    assert texts[0] == "0001-01-01T00:00:00Z"


def test_a_damaged_file_is_reported(path: Path) -> None:
    with Store.open(path) as store:
        add(store, os.urandom(100_000))
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 60_000)
    with pytest.raises(StoreError, match="the file is damaged: keep a copy, and start with a new store"):  # noqa: SIM117  # whichever of them meets it
        with Store.open(path) as store:
            list(store.pages.all_latest())


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
        known = [matched(store, f"NCT9900000{number}") for number in range(4)]
        assert [(kept.url, kept.page.url, *match) for kept, match in known] == [
            (URL, URL, "title+sponsor", "NCT99000009"),
            (f"{URL}-1", f"{URL}-1", "nct_id", "NCT99000001"),
            (f"{URL}-2", f"{URL}-2", "current_nct_id", "NCT99000008"),
            (OTHER, OTHER, "nct_id", "NCT99000003"),
        ]
        # The rows of an interrupted run had another shape.
        assert store.runs.list_finished("key") == {}
        assert store.slugs.status().slugs == 0
        assert store.slugs.find_similar("walking-for-knee-pain") == ()
        assert not store.pages.died_parsing(1)
    with Store.open(path) as store:
        store.slugs.replace_shard("s", ["walking-for-knee-pain"], NOON)


def test_a_migration_that_fails_leaves_the_older_store(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older_store(path, 1)
    broken = (*MIGRATIONS[1], "CREATE TABLE run (again TEXT)")
    monkeypatch.setattr(database_module, "MIGRATIONS", (MIGRATIONS[0], broken))
    with pytest.raises(StoreError, match="table run already exists"):
        Store.open(path)
    monkeypatch.undo()
    with Store.open(path) as store:
        assert store.pages.has_match("NCT99000001")


def test_sqlite_without_fts5_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
from trialscrape.page import Match, Page
from trialscrape.store.runs import FinishedId
from trialscrape.store.store import Store
now = datetime.now(UTC)
with Store.open(sys.argv[1]) as store:
    store.runs.begin("key", now)
    number = len(store.runs.list_finished("key"))
    while True:
        nct_id, url = f"NCT99{number:06}", f"https://ctv.example/study/{number}"
        version_id, _ = store.pages.add(url, Page(b"page %d " % number * 2000, fetched_at=now), ids=[nct_id])
        store.pages.set_match(nct_id, version_id, Match("nct_id", nct_id))
        store.runs.finish_id("key", FinishedId(number, nct_id, '{"outcome": "ok"}', f"record {number}"))
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
            assert rows == [FinishedId(n, f"NCT99{n:06}", '{"outcome": "ok"}', f"record {n}") for n in range(len(rows))]
    with Store.open(path) as store:
        for row in rows:
            assert matched(store, row.nct_id)[0].page.body == b"page %d " % row.position * 2000
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    assert said > 20


FILL = """
import os, resource, sys
from datetime import datetime, UTC
from trialscrape.errors import StoreError
from trialscrape.page import Page
from trialscrape.store.runs import FinishedId
from trialscrape.store.store import Store
now = datetime.now(UTC)
store = Store.open(sys.argv[1])
store.runs.begin("key", now)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
number = 0
try:
    while True:
        url = f"https://ctv.example/study/{number}"
        store.pages.add(url, Page(os.urandom(100_000), fetched_at=now))
        store.runs.finish_id("key", FinishedId(number, f"NCT99{number:06}", '{"outcome": "ok"}', "record"))
        number += 1
except StoreError as error:
    print(number, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert len(store.runs.list_finished("key")) == number
store.runs.finish_id("key", FinishedId(number, "NCT99999999", '{"outcome": "ok"}', "record"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on file sizes is one of POSIX")
def test_a_full_disk_is_reported_and_loses_nothing(path: Path) -> None:
    number, message = run(FILL, path).split(" ", 1)
    assert message.startswith(f"{path}: ")
    assert "give the same command again, all that was finished is kept" in message
    with Store.open(path) as store:
        assert len(store.runs.list_finished("key")) == int(number) + 1 > 5
        assert sum(1 for _ in store.pages.all_latest()) >= int(number)


AS_NOBODY = """
import os, sys
from trialscrape.errors import StoreError
from trialscrape.store.store import Store
if os.geteuid() == 0:
    os.setuid(65534)
for lock in (True, False):
    try:
        with Store.open(sys.argv[1], lock=lock) as store:
            print([kept.page.body for kept in store.pages.all_latest()])
    except StoreError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="modes of folders are those of POSIX")
def test_a_read_only_folder_can_be_read_and_not_written(open_folder: Path) -> None:
    path = open_folder / "trialscrape.db"
    with Store.open(path) as store:
        add(store)
    Path(f"{path}.lock").unlink()
    path.chmod(0o444)
    open_folder.chmod(0o555)
    written, read = run(AS_NOBODY, path).split("\n")
    open_folder.chmod(0o755)
    assert written.startswith(f"{path}: it cannot be opened: check that you may read and write the file and its folder")
    assert read == "[b'<p>walking</p>']"


@pytest.mark.skipif(sys.platform == "win32", reason="modes of folders are those of POSIX")
def test_what_a_run_writes_can_be_read_in_a_folder_that_is_read_only(open_folder: Path) -> None:
    path = open_folder / "trialscrape.db"
    with Store.open(path) as store:
        add(store)  # it is in the log, and not yet in the file
        open_folder.chmod(0o555)
        written, read = run(AS_NOBODY, path).split("\n")
        open_folder.chmod(0o755)
    assert written.startswith(f"{path}: it cannot be opened")
    assert read == "[b'<p>walking</p>']"


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files are those of POSIX")
def test_a_file_that_may_not_be_read_is_reported(open_folder: Path) -> None:
    path = open_folder / "trialscrape.db"
    Store.open(path).close()
    path.chmod(0)
    open_folder.chmod(0o755)
    for message in run(AS_NOBODY, path).split("\n"):
        assert message.startswith(f"{path}: it cannot be opened: check that you may read and write the file")
