"""Records from files and stores, and which of them belong together."""

import gzip
import io
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import trialscrape
from support.page import PAGE, with_
from trialscrape.errors import RecordFileError
from trialscrape.page import Match, Page
from trialscrape.quality.pairing import pair_trials
from trialscrape.quality.record_sets import PlacedTrial, read_trials
from trialscrape.records import Trial
from trialscrape.store.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
URL = "https://ctv.example/study/trees"
TRIAL = trialscrape.parse(PAGE, url=URL)
RECORD = TRIAL.model_dump_json()


def read(source: object) -> list[Trial]:
    return [placed.trial for placed in read_trials(str(source), pytest.fail)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trials.jsonl"


# Record files


@pytest.mark.parametrize(
    "data",
    [
        f"{RECORD}\n\n{RECORD}\n".encode(),
        f"{RECORD}\r\n{RECORD}".encode(),
        f"[{RECORD},\n{RECORD}]".encode(),
        gzip.compress(f"{RECORD}\n{RECORD}\n".encode()),
        gzip.compress(f"[{RECORD}, {RECORD}]".encode()),
    ],
)
def test_records_come_from_lines_and_arrays_plain_or_packed(
    path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(data)
    assert read(path) == [TRIAL, TRIAL]
    with path.open("rb") as stream:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
        assert read("-") == [TRIAL, TRIAL]


def test_records_with_spans_and_empty_files_are_read(path: Path) -> None:
    traced = trialscrape.trace(PAGE)
    path.write_text(traced.model_dump_json())
    assert read(path) == [traced]
    path.write_text("")
    assert read(path) == []


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordFileError, match=f"cannot read {tmp_path}/none: no such file or directory"):
        read(tmp_path / "none")
    with pytest.raises(RecordFileError, match=f"cannot read {tmp_path}: is a directory"):
        read(tmp_path)


# Stores


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a page that changed a day later, a page that came then, and one that is no study page."""
    path = tmp_path / "trials@home.db"
    with Store.open(path) as opened:
        for url, body, time in [
            (URL, PAGE, NOON),
            (URL, with_(("Enrolling", "Completed")), NOON + DAY),
            (f"{URL}-1", with_(("NCT99000100", "NCT99000101")), NOON + DAY),
            (f"{URL}-2", "<p>Are you a robot?</p>", NOON),
        ]:
            opened.pages.add(url, Page(body.encode(), "text/plain; charset=utf-8", url, fetched_at=time))
    return path


def read_statuses(source: str) -> tuple[list[tuple[str | None, str]], list[str]]:
    messages: list[str] = []
    trials = [placed.trial for placed in read_trials(source, messages.append)]
    return [(trial.nct_id, trial.overall_status.label if trial.overall_status else "") for trial in trials], messages


def test_a_store_gives_its_pages_as_they_are_or_were(store: Path) -> None:
    now, messages = read_statuses(f"{store}")
    assert now == [("NCT99000100", "Completed"), ("NCT99000101", "Enrolling")]
    assert [message.partition(" expected")[0] for message in messages] == [f"{store}!{URL}-2: not_a_study_page:"]
    assert messages[0].endswith("; it is left out")
    assert read_statuses(f"{store}@2026-03-02")[0] == now
    assert read_statuses(f"{store}@2026-03-01")[0] == [("NCT99000100", "Enrolling")]
    assert read_statuses(f"{store}@2026-02-28") == ([], [])
    assert read_statuses(f"{store}@2") == ([("NCT99000100", "Completed")], [])


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        ("99", "has no version 99: `trialscrape store history` lists them"),
        ("march", "expected a date such as 2026-01-31 or the number of a version behind the @, found 'march'"),
        ("2026-02-30", "found '2026-02-30'"),
    ],
)
def test_what_a_store_did_not_have_is_reported(store: Path, moment: str, message: str) -> None:
    with pytest.raises(RecordFileError, match=message):
        read(f"{store}@{moment}")


def test_a_damaged_store_is_reported(store: Path) -> None:
    data = bytearray(store.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    store.write_bytes(data)
    with pytest.raises(RecordFileError, match="the file is damaged"):
        read(store)


def test_a_page_without_an_id_has_that_of_its_match(tmp_path: Path) -> None:
    bare = with_(("NCT99000100\nIAM-7 (Other Identifier)", ""))
    with Store.open(tmp_path / "s.db") as opened:
        version, _ = opened.pages.add(URL, Page(bare.encode(), fetched_at=NOON))
        opened.pages.set_match("NCT99000100", version, Match("title+sponsor", "NCT99000100"))
    assert [trial.nct_id for trial in read(tmp_path / "s.db")] == ["NCT99000100"]


# Pairs


def place(*trials: Trial, checked_at: datetime | None = None) -> list[PlacedTrial]:
    return [PlacedTrial(f"f:{number}", trial, checked_at) for number, trial in enumerate(trials, 1)]


def make(nct_id: str | None, url: str | None = None, file: str | None = None) -> Trial:
    source = TRIAL.source.model_copy(update={"url": url, "file": file})
    return TRIAL.model_copy(update={"nct_id": nct_id, "source": source})


A, B, C = "NCT99000001", "NCT99000002", "NCT99000003"


@pytest.mark.parametrize(
    ("old", "new", "pairs"),
    [
        ([make(A), make(B)], [make(C), make(A)], [(None, 0), (0, 1), (1, None)]),
        ([make(A, "u")], [make(A, "v")], [(0, 0)]),
        # The page got its id, or lost it.
        ([make(None, "u")], [make(A, "u")], [(0, 0)]),
        ([make(A, "u")], [make(None, "u")], [(0, 0)]),
        # Another study at the same address.
        ([make(A, "u")], [make(B, "u")], [(None, 0), (0, None)]),
        # The id counts before the address, and a record is paired once.
        ([make(None, "u"), make(A, "v")], [make(A, "u")], [(1, 0), (0, None)]),
        ([make(None, "u")], [make(A, "u"), make(B, "u")], [(0, 0), (None, 1)]),
        ([make(A, "u")], [make(None, "u"), make(A, "v")], [(None, 0), (0, 1)]),
        # Saved text pages have neither.
        ([make(None, None, "a.txt")], [make(None, None, "a.txt"), make(None, None, "b.txt")], [(0, 0), (None, 1)]),
        ([], [], []),
    ],
)
def test_records_of_one_study_are_paired(
    old: list[Trial], new: list[Trial], pairs: list[tuple[int | None, int | None]]
) -> None:
    found = list(pair_trials(place(*old), place(*new), pytest.fail))
    expected = [(None if a is None else old[a], None if b is None else new[b]) for a, b in pairs]
    assert found == expected


def test_two_records_of_one_study_are_refused() -> None:
    with pytest.raises(RecordFileError) as caught:
        list(pair_trials([], place(make(B), make(A, "u"), make(A, "v")), pytest.fail))
    assert str(caught.value) == f"f:3: expected one record of {A}, found a second; the first is f:2: remove one"


def test_a_record_that_nothing_names_is_refused() -> None:
    with pytest.raises(
        RecordFileError, match="f:1: expected a record with an NCT id, an address or a file, found none"
    ):
        list(pair_trials(place(make(None)), [], pytest.fail))


@pytest.mark.parametrize("late_first", [False, True])
def test_of_two_pages_of_a_study_in_a_store_the_one_checked_last_counts(*, late_first: bool) -> None:
    early, late = make(A, "u"), make(A, "v")
    rows = [PlacedTrial("s!u", early, NOON), PlacedTrial("s!v", late, NOON + DAY)]
    messages: list[str] = []
    found = list(pair_trials([], rows[::-1] if late_first else rows, messages.append))
    assert found == [(None, late)]
    assert messages == [f"{A} has several pages: s!v was checked last and is taken, s!u is left out"]
