"""Ids from lists, CSV files and prose."""

import pytest

from trialscrape.scraping.ids import IdFileError, extract_ids, read_ids

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
