"""Text to lines: what is normalized, and what is not."""

import pytest

from trialscrape.parsing.lines import indent, split_lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("a\nb", ["a", "b"]),
        ("a\r\nb\r\n", ["a", "b", ""]),
        ("a\rb", ["a\rb"]),
        ("\ufeffa", ["a"]),
        ("a  \n \nb ", ["a", "", "b"]),
        ("\t• a\n\t\t• b\nc\td", ["  • a", "    • b", "c d"]),
        ("a\xa0b\n\xa0\xa0• c", ["a b", "  • c"]),
        ("  a\n\n    b", ["a", "", "  b"]),
        ("a\n  b", ["a", "  b"]),
        ("e\u0301", ["é"]),
        ("a\x0bb\x0cc\x85d\u2028e\x1cf", ["a\x0bb\x0cc\x85d\u2028e\x1cf"]),
        ("e" + "\u0301\u0323" * 20, ["e" + "\u0301\u0323" * 20]),
        ("e\u0301" + "漢" * 40, ["é" + "漢" * 40]),
        ("\x00\x1b[31m", ["\x00\x1b[31m"]),
    ],
)
def test_lines(text: str, lines: list[str]) -> None:
    assert split_lines(text) == lines


def test_indent() -> None:
    assert [indent(line) for line in ("", "a", "  a", "   ")] == [0, 0, 2, 3]
