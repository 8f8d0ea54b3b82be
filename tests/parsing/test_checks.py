"""What a page is warned of once all its sections are read."""

import pytest

import trialscrape
from support.page import PAGE, with_


def missing_volunteers(*lines: str) -> str:
    """Read a page with other lines in place of the heading `Volunteers` and its value, and give the warning."""
    page = with_(("Volunteers\n\nAccepts Healthy Volunteers", "\n".join(lines)))
    (message,) = [w.message for w in trialscrape.parse(page).warnings if w.code == "missing_section"]
    return message.removeprefix("expected the heading 'Volunteers' after 'Ages', found none")


@pytest.mark.parametrize("line", ["X" * 60, "Q", "Ab.c", "A.bc", "Healthy X", "Who, and why"])
def test_a_short_line_that_stands_alone_may_be_the_missing_heading(line: str) -> None:
    assert missing_volunteers(line) == f"; it may be {line!r} in line 64"


@pytest.mark.parametrize("line", ["X" * 61, "all may come", "All may come.", "All of these:", "One;", "One,"])
def test_a_line_that_looks_like_prose_may_not(line: str) -> None:
    assert missing_volunteers(line) == ""


def test_lines_that_stand_alone_come_before_others_and_three_are_named() -> None:
    assert missing_volunteers("Group", "Person", "", "Alone") == "; it may be 'Alone' in line 67"
    assert missing_volunteers("Group", "Person") == "; it may be 'Group' in line 64 or 'Person' in line 65"
    assert missing_volunteers("A", "", "B", "", "C", "", "D") == (
        "; it may be 'A' in line 64 or 'B' in line 66 or 'C' in line 68"
    )


def test_a_sentence_without_arms_gives_one_warning() -> None:
    page = PAGE[: PAGE.index("Forest\n")] + PAGE[PAGE.index("Trial documents") :]
    assert [warning.code for warning in trialscrape.parse(page).warnings] == ["groups_differ"]
