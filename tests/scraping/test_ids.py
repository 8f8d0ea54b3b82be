"""Ids from lists, CSV files and prose."""

import pytest

from trialscrape.errors import IdFileError
from trialscrape.scraping.ids import extract_ids, normalize_ids, read_ids

CSV = (
    "Rank,NCT Number,Title,Other IDs\r\n"
    '1,NCT99000001,"Like NCT99000777, but larger",NCT99000888\r\n'
    "2,NCT99000002,Ärzte,X-1\r\n"
    "3,,Nothing,\r\n"
    "4\r\n"
    "5,NCT9900003,Short,\r\n"
    "6,NCT99000001,Again,\r\n"
)
IDS = ["NCT99000001", "NCT99000002", "NCT9900003"]


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_registry_csv_gives_its_id_column(charset: str, delimiter: str) -> None:
    text = CSV.replace(", but", " but").replace(",", delimiter)
    assert read_ids(text.encode(charset)) == (IDS, "NCT Number")


@pytest.mark.parametrize("name", ["nct_id", "NCT_ID", "nct number"])
def test_the_column_may_have_another_name(name: str) -> None:
    assert read_ids(CSV.replace("NCT Number", name).encode()) == (IDS, name)


def test_a_column_can_be_named() -> None:
    assert read_ids(CSV.encode(), column="other ids") == (["NCT99000888", "X-1"], "Other IDs")
    with pytest.raises(IdFileError) as error:
        read_ids(CSV.encode(), column="Id")
    assert str(error.value) == "expected a column 'Id', found 'Rank', 'NCT Number', 'Title', 'Other IDs'"
    with pytest.raises(IdFileError, match="expected a column 'Id', found none"):
        read_ids(b"", column="Id")


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("NCT99000001\nNCT99000002\n", ["NCT99000001", "NCT99000002"]),
        ("see NCT99000001, nct99000002 and NCT990", ["NCT99000001", "nct99000002", "NCT990"]),
        ('He said "NCT99000001\nand left', ["NCT99000001"]),
        ("Study,Site\nNCT99000001,A\n", ["NCT99000001"]),
        (
            "# NCT99000001\n\nhttps://example.org/study/a-b?x=NCT99000002\n",
            ["https://example.org/study/a-b?x=NCT99000002"],
        ),
        ("\ufeffNCT99000001", ["NCT99000001"]),
        ("", []),
    ],
)
def test_any_other_text_gives_what_looks_like_an_id(text: str, ids: list[str]) -> None:
    assert extract_ids(text) == ids
    assert read_ids(text.encode()) == (ids, None)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04rest", "this is an Excel workbook: save it there as CSV, and give that file"),
        (b"NCT\x00\xff99", "expected text, found other bytes at 4: save the file as UTF-8"),
        (b"\xff\xfea", "expected text, found other bytes at 2: save the file as UTF-8"),
    ],
)
def test_other_files_are_refused_with_what_to_do(data: bytes, message: str) -> None:
    with pytest.raises(IdFileError) as error:
        read_ids(data)
    assert str(error.value) == message


TEXTS: dict[str, tuple[str, list[str]]] = {
    "list": ("NCT00000001\nNCT00000002\n", ["NCT00000001", "NCT00000002"]),
    "order is kept": ("NCT00000002\nNCT00000001", ["NCT00000002", "NCT00000001"]),
    "blanks and blank lines": ("\n  NCT00000001\t\n\r\n \nNCT00000002", ["NCT00000001", "NCT00000002"]),
    "old Macs": ("NCT00000001\rNCT00000002\r", ["NCT00000001", "NCT00000002"]),
    "lower case": ("nct00000001\nNct00000002", ["NCT00000001", "NCT00000002"]),
    "duplicates": ("NCT00000001\nnct00000001\n NCT00000001 \n", ["NCT00000001"]),
    "comments": ("# NCT00000001\n  # and NCT00000002\nNCT00000003", ["NCT00000003"]),
    "no comment": ("NCT00000001 # the first, not NCT00000002", ["NCT00000001", "NCT00000002"]),
    "CSV with a header": (
        'rank,NCT Number,title\n1,NCT00000001,"A, b"\n2,"NCT00000002",NCTs\n',
        ["NCT00000001", "NCT00000002"],
    ),
    "tabs and semicolons": ("NCT00000001\tNCT00000002;NCT00000003", ["NCT00000001", "NCT00000002", "NCT00000003"]),
    "prose": (
        "We took (NCT00000001), NCT00000002/NCT00000003 and NCT00000004. ClinicalTrials.gov:NCT00000005!",
        [f"NCT0000000{number}" for number in range(1, 6)],
    ),
    "file names": ("NCT00000001_protocol.pdf", ["NCT00000001"]),
    "byte order mark": ("\ufeffNCT00000001", ["NCT00000001"]),
    "byte order mark before a comment": ("\ufeff# NCT00000001\nNCT00000002", ["NCT00000002"]),
    "byte order mark before an address": ("\ufeffhttps://a.example/study/b-c", ["https://a.example/study/b-c"]),
    "a digit too few or too many": ("NCT0000001 NCT000000001", ["NCT0000001", "NCT000000001"]),
    "a letter for a digit": ("NCT0000O001, NCT00000001a", ["NCT0000O001", "NCT00000001A"]),
    "a word that begins like one": ("NCTs, NCT, nct number, ANCT00000001", []),
    "address": (
        "https://a.example/study/b-c\n http://a.example/d ",
        ["https://a.example/study/b-c", "http://a.example/d"],
    ),
    "an address as reached from a research site": (
        'https://a.example/study/b-c?comeFrom={"type":"site"}\nhttps://a.example/study/b-c',
        ["https://a.example/study/b-c"],
    ),
    "an address is taken whole": ("https://a.example/study/NCT00000001", ["https://a.example/study/NCT00000001"]),
    "nothing": ("", []),
    "nothing of the kind": ("title\nTrees for clerks\n", []),
}


@pytest.mark.parametrize(("text", "ids"), TEXTS.values(), ids=TEXTS)
def test_ids_are_taken_from_any_text(text: str, ids: list[str]) -> None:
    assert normalize_ids(extract_ids(text)) == ids


def test_ids_are_normalized_and_listed_once() -> None:
    address = "https://a.example/nct00000001"
    ids = [" nct00000001", "NCT00000001", "", " ", "a-Slug", "a-Slug ", "nct1", address, f"{address}?comeFrom=a"]
    assert normalize_ids(ids) == ["NCT00000001", "a-Slug", "NCT1", address]


@pytest.mark.parametrize(
    ("entry", "ids"),
    [
        ("NCT00000001,nct00000002, NCT00000003,", ["NCT00000001", "NCT00000002", "NCT00000003"]),
        ("https://clinicaltrials.gov/study/NCT00000001?cond=a", ["NCT00000001"]),
        ("http://www.clinicaltrials.gov/ct2/show/nct00000001", ["NCT00000001"]),
        ("https://clinicaltrials.gov/study/NCT000000012", ["https://clinicaltrials.gov/study/NCT000000012"]),
        ("https://a.example/study/NCT00000001", ["https://a.example/study/NCT00000001"]),
        ("a,b", ["a,b"]),
    ],
)
def test_lists_and_addresses_of_the_registry_are_ids(entry: str, ids: list[str]) -> None:
    assert normalize_ids([entry]) == ids
