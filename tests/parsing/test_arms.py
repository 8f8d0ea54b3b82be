"""Arms: where one ends and the next begins."""

import tracemalloc

import pytest

from trialscrape.parsing import arms

DRUG = {"Drug: A", "Drug: B"}
Shape = tuple[str, str | None, str | None, list[str]]


def read(text: str, groups: int | None, *, complete: bool = True, observational: bool = False) -> arms.ParsedArms:
    """Read a block that is written in one line, with a slash between the page's lines."""
    return read_lines(text.split("/"), groups, complete=complete, observational=observational)


def read_lines(
    lines: list[str], groups: int | None, *, complete: bool = True, observational: bool = False
) -> arms.ParsedArms:
    return arms.parse_arms(lines, DRUG, groups, complete=complete, observational=observational)


def shape(reading: arms.ParsedArms) -> list[Shape]:
    return [
        (arm.label, arm.type.label if arm.type else None, arm.description, [each.name for each in arm.interventions])
        for arm in reading.arms
    ]


E, N = "Experimental", "No Intervention"
ONE = "x/Experimental group/Treatment:/Drug: A"


@pytest.mark.parametrize(
    ("text", "groups", "expected"),
    [
        (ONE, 1, [("x", E, None, ["A"])]),
        (f"{ONE}/Drug: A/y/Experimental group", 2, [("x", E, None, ["A", "A"]), ("y", E, None, [])]),
        (f"{ONE}/Drug: A/Experimental group", 2, [("x", E, None, ["A"]), ("Drug: A", E, None, [])]),
        (f"x/No Intervention group/{ONE}", 2, [("x", N, None, []), ("x", E, None, ["A"])]),
        (f"x/No Intervention group/Description:/no/{ONE}", 2, [("x", N, "no", []), ("x", E, None, ["A"])]),
        (
            "Experimental group/Experimental group/Description:/p/Treatment:/Drug: A/Sex/No Intervention group",
            2,
            [("Experimental group", E, "p", ["A"]), ("Sex", N, None, [])],
        ),
        ("x/Experimental group/Description:/p/q/Treatment:/Drug: A", 1, [("x", E, "p\nq", ["A"])]),
        ("x/Other group/Description:/X-ray", 1, [("x", "Other", "X-ray", [])]),
        ("x/Other group/Description:/Drug: A", 1, [("x", "Other", "Drug: A", [])]),
        ("x/Other group/Description:/Other group", 1, [("x", "Other", "Other group", [])]),
        ("x/Other group/Description:/p/Note: q", 1, [("x", "Other", "p\nNote: q", [])]),
    ],
)
def test_typed_arms(text: str, groups: int, expected: list[Shape]) -> None:
    reading = read(text, groups)
    assert shape(reading) == expected
    assert reading.decided != "choice"
    assert (reading.left, reading.unlisted, reading.unknown_types) == ((), (), ())
    assert reading.used == text.count("/") + 1


@pytest.mark.parametrize(
    ("text", "groups", "expected"),
    [
        ("x/Description:/x/Treatment:/Drug: A", 1, [("x", None, "x", ["A"])]),
        (
            "x/Description:/x/Treatment:/Drug: A/y/Treatment:/Drug: B",
            2,
            [("x", None, "x", ["A"]), ("y", None, None, ["B"])],
        ),
        ("x/Description:/p/y/Treatment:/Drug: A", 2, [("x", None, "p", []), ("y", None, None, ["A"])]),
        ("x/Description:/p/y/Treatment:/Drug: A", 1, [("x", None, "p\ny", ["A"])]),
        ("x/Description:/p/Control group/Description:/q", 2, [("x", None, "p", []), ("Control group", None, "q", [])]),
        ("x/Description:/p/the control group", 1, [("x", None, "p\nthe control group", [])]),
        ("x/Description:/p/Other group", 1, [("x", None, "p\nOther group", [])]),
        ("x/y/Description:/p/the control group", 2, [("x", None, None, []), ("y", None, "p\nthe control group", [])]),
        ("x/y/Description:/p/Other group", 2, [("x", None, None, []), ("y", None, "p\nOther group", [])]),
        ("x/y", 2, [("x", None, None, []), ("y", None, None, [])]),
        ("x/Experimental group", 2, [("x", None, None, []), (f"{E} group", None, None, [])]),
        ("x/Description:/p/y", 2, [("x", None, "p", []), ("y", None, None, [])]),
        ("x/y/Description:/p", 2, [("x", None, None, []), ("y", None, "p", [])]),
        ("x/Treatment:/Drug: A/y", 2, [("x", None, None, ["A"]), ("y", None, None, [])]),
        ("x/y/Treatment:/Drug: A", 2, [("x", None, None, []), ("y", None, None, ["A"])]),
    ],
)
def test_arms_without_types(text: str, groups: int, expected: list[Shape]) -> None:
    reading = read(text, groups, observational=True)
    assert shape(reading) == expected
    assert reading.decided != "choice"
    assert (reading.left, reading.unlisted, reading.unknown_types) == ((), (), ())
    assert reading.used == text.count("/") + 1


def test_a_study_that_is_not_observational_may_have_no_types() -> None:
    text = "x/Description:/p/y/Treatment:/Drug: A"
    assert read(text, 2) == read(text, 2, observational=True)
    assert shape(read("x/Treatment:/Drug: C", 1)) == [("x", None, None, ["C"])]


@pytest.mark.parametrize("line", ["Other group", "the control group"])
def test_a_group_line_in_a_description_without_types(line: str) -> None:
    for treatment in ("A", "C"):
        text = f"x/Description:/p/q/{line}/r/Treatment:/Drug: {treatment}"
        for complete in (True, False):
            reading = read(text, 1, complete=complete, observational=True)
            assert shape(reading) == [("x", None, f"p\nq\n{line}\nr", [treatment])]
        assert read(text, None, observational=True).used == 8


def test_a_name_like_a_label_is_a_rival() -> None:
    assert read("x/Description:/y/Treatment:/Drug: A/Drug: B/Drug: B", 3, observational=True).decided == "choice"
    text = "x/Description:/p/q/Treatment:/Drug: A/y/Description:/p/q/Treatment:/Drug: B"
    assert read(text, 4, observational=True).decided == "choice"


@pytest.mark.parametrize(
    ("text", "groups", "decided"),
    [
        (ONE, 1, "count"),  # as many types as arms
        (ONE, 3, "lines"),  # the number is wrong, and the lines leave no doubt
        (f"x/No Intervention group/Description:/p/{ONE}", 2, "count"),  # or one arm, described in three lines
        (f"x/Experimental group/Description:/p/q/Other group/r/Other group/{ONE}", 3, "choice"),
        (f"x/Experimental group/Description:/p/q/Other group/r/Other group/{ONE}", 4, "count"),
    ],
)
def test_what_singles_a_reading_out(text: str, groups: int, decided: str) -> None:
    assert read(text, groups).decided == decided


def test_two_readings_that_satisfy_everything_are_a_choice() -> None:
    text = "x/Description:/p/q/Treatment:/Drug: A/y/Description:/p/q/Treatment:/Drug: B"
    reading = read(text, 3, observational=True)
    assert len(reading.arms) == 3
    assert reading.decided == "choice"
    assert read(text, 2, observational=True).decided == "count"


def test_a_name_alone_is_believed_only_where_the_number_of_arms_confirms_it() -> None:
    for groups in (None, 3):
        reading = read("x/Treatment:/Drug: A/y", groups, observational=True)
        assert shape(reading) == [("x", None, None, ["A"])]
        assert reading.used == 3
    assert read("x/y", 2).arms == ()  # in a study that is not observational, a type is missing


@pytest.mark.parametrize(
    "line", ["Waitlist Comparator group", "Historical control group", "Experimental Comparator group"]
)
def test_a_type_that_nobody_has_met(line: str) -> None:
    reading = read(f"Control/No Intervention group/Description:/Usual care/Test/{line}/Treatment:/Drug: A", 2)
    assert shape(reading) == [("Control", N, "Usual care", []), ("Test", line.removesuffix(" group"), None, ["A"])]
    assert reading.arms[1].type is not None
    assert reading.arms[1].type.code is None
    assert reading.unknown_types == (5,)
    assert reading.decided != "choice"


def test_the_word_group_alone_is_no_type() -> None:
    assert shape(read("group/Experimental group/group/Other group", 2)) == [
        ("group", E, None, []),
        ("group", "Other", None, []),
    ]
    assert read("x/group/Treatment:/Drug: A", 1).arms == ()


def test_a_mixed_style_is_always_a_choice() -> None:
    for groups in (2, 3, None):
        reading = read(f"{ONE}/y/Treatment:/Drug: B", groups)
        assert shape(reading) == [("x", E, None, ["A"]), ("y", None, None, ["B"])]
        assert reading.decided == "choice"
    described = "x/Experimental group/Description:/p/y/Description:/q/Treatment:/Drug: A/z/Description:/q/r/Treatment:"
    assert shape(read(f"{described}/Drug: B", 3)) == [
        *(("x", E, "p", []), ("y", None, "q", ["A"]), ("z", None, "q\nr", ["B"]))
    ]
    reading = read("x/Quiet group/Treatment:/Drug: C/y/Treatment:/Drug: B", 2)
    assert shape(reading) == [("x", "Quiet", None, ["C"]), ("y", None, None, ["B"])]
    assert (reading.unknown_types, reading.unlisted, reading.decided) == ((1,), (3,), "choice")
    reading = read(ONE, 1, observational=True)
    assert shape(reading) == [("x", E, None, ["A"])]
    assert reading.decided == "choice"
    reading = read(f"y/Treatment:/Drug: B/{ONE}", 2, observational=True)
    assert shape(reading) == [("y", None, None, ["B"]), ("x", E, None, ["A"])]
    assert reading.decided == "choice"


@pytest.mark.parametrize(
    ("text", "groups", "expected", "unlisted"),
    [
        ("x/Experimental group/Treatment:/Drug: C/" + ONE, 2, [("x", E, None, ["C"]), ("x", E, None, ["A"])], (3,)),
        (
            "x/Experimental group/Treatment:/Drug: C/G 2: y/Experimental group/Treatment:/Drug: A",
            2,
            [("x", E, None, ["C"]), ("G 2: y", E, None, ["A"])],
            (3,),
        ),
        (ONE + "/Drug: C: d, e/Drug: B", 1, [("x", E, None, ["A", "C: d, e", "B"])], (4,)),
    ],
)
def test_an_unlisted_treatment(text: str, groups: int, expected: list[Shape], unlisted: tuple[int, ...]) -> None:
    reading = read(text, groups)
    assert shape(reading) == expected
    assert reading.unlisted == unlisted
    assert reading.decided != "choice"


@pytest.mark.parametrize("line", [": C", "Drug:", "Drug:C", "C", "\u2003: C", "Drug: \u2003"])
def test_what_is_no_treatment_is_left(line: str) -> None:
    reading = read(f"{ONE}/{line}", 1)
    assert shape(reading) == [("x", E, None, ["A"])]
    assert reading.used == 4


def test_the_lines_decide_where_the_count_is_wrong() -> None:
    for groups in (3, 10**15):
        reading = read(f"x/No Intervention group/Description:/p/{ONE}", groups)
        assert shape(reading) == [("x", N, "p", []), ("x", E, None, ["A"])]
    two = "x/Description:/p/q/Treatment:/Drug: A"
    assert len(read(two, 9, observational=True).arms) == 2


def test_without_a_count_each_description_is_as_short_as_it_can_be() -> None:
    reading = read("x/Description:/p/y/Treatment:/Drug: A", None)
    assert shape(reading) == [("x", None, "p", []), ("y", None, None, ["A"])]
    assert reading.decided == "choice"
    assert read(f"{ONE}/{ONE}", None).decided == "lines"


@pytest.mark.parametrize(
    ("text", "expected", "used"),
    [
        (f"{ONE}/y/Experimental group/Treatment:/Treat", [("x", E, None, ["A"]), ("y", E, None, [])], 7),
        (f"{ONE}//Tria", [("x", E, None, ["A"])], 4),
        ("x/Experimental group/Description:", [("x", E, None, [])], 3),
        ("x/Experimental group/Description:/half a sen", [("x", E, "half a sen", [])], 4),
        (f"{ONE}/Drug: B/y", [("x", E, None, ["A", "B"])], 5),
        ("x/Experimental group/Treatment:", [("x", E, None, [])], 3),
        (f"{ONE}/y/Experimental group", [("x", E, None, ["A"]), ("y", E, None, [])], 6),
        (f"{ONE}/y/Experimental grou", [("x", E, None, ["A"])], 4),
        ("x/Experimental group/Descri", [("x", E, None, [])], 2),
        ("x/Experimental group/Description:/p/Treatm", [("x", E, "p", [])], 4),
        (f"{ONE}/Dr", [("x", E, None, ["A"])], 4),
        ("x/Experimental grou", [], 0),
        ("x", [], 0),
    ],
)
def test_a_cut_block_is_read_as_far_as_it_goes(text: str, expected: list[Shape], used: int) -> None:
    reading = read(text, 2, complete=False)
    assert shape(reading) == expected
    assert reading.used == used
    assert reading.left == ()


def test_a_label_that_is_cut_is_no_description() -> None:
    for cut in ("Descri", "Treat", "Dru"):
        assert read(f"x/Description:/p/y/{cut}", 2, complete=False, observational=True).used == 4


@pytest.mark.parametrize(
    ("text", "groups", "decided"),
    [
        ("x/Experimental group", 2, "lines"),
        ("x/Experimental group/Description:", 2, "lines"),
        ("x/Experimental group/Treatment:", 2, "lines"),
        (ONE, 2, "lines"),
        (f"{ONE}/Drug: B", 2, "choice"),  # or the next arm's name
        (f"{ONE}/Drug: B", 1, "count"),
        ("x/Experimental group/Description:/p", 2, "lines"),
        ("x/Experimental group/Description:/p/q", 2, "choice"),
        ("x/Experimental group/Description:/p/q", None, "choice"),
        ("x/Experimental group/Description:/p/q", 1, "count"),
        ("x/Experimental group/Description:/p/q/Experimental gr", 2, "choice"),  # or the next arm's type
        ("x/Experimental group/Description:/p/q/the Experimental group", 2, "choice"),
    ],
)
def test_the_end_of_a_cut_block_may_be_anything(text: str, groups: int | None, decided: str) -> None:
    assert read(text, groups, complete=False).decided == decided


def test_a_cut_block_has_at_most_as_many_arms_as_the_page_says() -> None:
    text = "x/Description:/p/q/Treatment:/Drug: A/y/Description:/p/q/Treatment:/Drug: B/z/Description:"
    assert [len(read(text, groups, complete=False, observational=True).arms) for groups in (3, 4, 5, 6, None)] == [
        *(3, 4, 5, 5, 5)
    ]


@pytest.mark.parametrize(
    ("text", "groups", "expected", "left"),
    [
        ("x/Other group/Treatment:", 1, [("x", "Other", None, [])], (2,)),
        ("x/Other group/Description:", 1, [("x", "Other", None, [])], (2,)),
        (f"x/Other group/Treatment:/{ONE}", 2, [("x", "Other", None, []), ("x", E, None, ["A"])], (2,)),
        ("x/Other group/Description:/Treatment:/Drug: A", 1, [("x", "Other", None, ["A"])], (2,)),
        ("x/Other group/Description:/Treatment:", 1, [("x", "Other", None, [])], (2, 3)),
        ("x/Other group/Description:/Treatment:/Treatment:/Drug: A", 1, [("x", "Other", "Treatment:", ["A"])], ()),
        ("Treatment:/Other group/Treatment:/Drug: A", 1, [("Treatment:", "Other", None, ["A"])], ()),
        ("Description:/Other group", 1, [("Description:", "Other", None, [])], ()),
        ("x/Other group/Description:/Description:", 1, [("x", "Other", "Description:", [])], ()),
        (
            f"a/Other group/Description:/p/b/Other group/Description:/p/q/{ONE}/c/Other group/d/Other group/Treatment:",
            5,
            [
                *(("a", "Other", "p", []), ("b", "Other", "p\nq", []), ("x", E, None, ["A"])),
                *(("c", "Other", None, []), ("d", "Other", None, [])),
            ],
            (17,),
        ),
        (
            f"a/Other group/Treatment:/b/Other group/Description:/{ONE}/c/Description:/p/q/Treatment:/Drug: A",
            4,
            [("a", "Other", None, []), ("b", "Other", None, []), ("x", E, None, ["A"]), ("c", None, "p\nq", ["A"])],
            (2, 5),
        ),
        (
            "a/Treatment:/b/Description:/p/Treatment:/Drug: A/c/Description:/Treatment:/Drug: B",
            3,
            [("a", None, None, []), ("b", None, "p", ["A"]), ("c", None, None, ["B"])],
            (1, 8),
        ),
        (
            "a/Quiet group/Treatment:/b/Other group/Treatment:/Drug: C",
            2,
            [("a", "Quiet", None, []), ("b", "Other", None, ["C"])],
            (2,),
        ),
        ("x/Description:/Treatment:/Drug: A", 1, [("x", None, None, ["A"])], (1,)),
    ],
)
def test_a_label_is_in_an_arm_or_left(text: str, groups: int, expected: list[Shape], left: tuple[int, ...]) -> None:
    reading = read(text, groups)
    assert shape(reading) == expected
    assert reading.left == left
    assert reading.used == text.count("/") + 1
    assert reading.decided == "choice"


def test_a_label_over_nothing_is_left_where_nothing_says_how_many_arms_there_are() -> None:
    for label in ("Description:", "Treatment:"):
        assert read(f"x/Other group/{label}", None).used == 2


def test_no_label_is_empty_where_the_lines_can_be_read_otherwise() -> None:
    reading = read("x/Experimental group/Description:/p/Treatment:/Drug: A", 2)
    assert shape(reading) == [("x", E, "p", ["A"])]
    assert reading.left == ()


@pytest.mark.parametrize("odd", ["junk", "junk/more junk", "Treatment:/junk", "y/Experimental group/Drug: A/junk"])
def test_what_comes_before_an_odd_line_is_read(odd: str) -> None:
    reading = read(f"{ONE}/{odd}", 2)
    assert shape(reading)[0] == ("x", E, None, ["A"])
    assert 4 <= reading.used < 5 + odd.count("/")


def test_lines_that_are_no_arms_are_left() -> None:
    for groups, complete in ((2, True), (2, False), (None, True)):
        assert read("just/some/prose", groups, complete=complete)[:3] == ((), 0, ())
    assert read("", 2)[:3] == ((), 0, ())
    assert read("x/Experimental group//just prose", 1).used == 2


def test_a_description_that_goes_on_below_a_blank_line_is_a_choice() -> None:
    reading = read("x/Experimental group/Description:/p//q/Treatment:/Drug: A", 1)
    assert shape(reading) == [("x", E, "p\n\nq", ["A"])]
    assert reading.decided == "choice"
    assert shape(read("x/Description://p/Treatment:/Drug: A", 1)) == [("x", None, "p", ["A"])]
    assert read(f"{ONE}//{ONE}", 2).decided == "count"
    reading = read("x/Description:/p//q", 1, observational=True)
    assert shape(reading) == [("x", None, "p\n\nq", [])]
    assert reading.decided == "choice"


def test_indexes_count_the_blank_lines_too() -> None:
    reading = read("/x/Quiet group//Treatment://Drug: C", 1)
    assert (reading.used, reading.unknown_types, reading.unlisted) == (7, (2,), (6,))
    assert read("/x/Other group//Treatment:", 1).left == (4,)


def test_a_description_keeps_its_inner_blanks_and_escapes() -> None:
    lines = ["  x", " Other group", "  Description:", "  a \\[b\\] \\<", "   c  d"]
    arm = read_lines(lines, 1).arms[0]
    assert (arm.label, arm.description) == ("x", "a \\[b\\] \\<\n   c  d")


@pytest.mark.parametrize("line", ["x", "Experimental group", "Description:", "Treatment:", "Drug: A", "Drug: C", ""])
def test_a_hostile_block_ends(line: str) -> None:
    """What is not linear in the lines would take hours here."""
    block = ["x", "Experimental group", "Description:", line, "Treatment:", "Drug: A"] * 100_000
    for lines, groups, observational in ((block, 10**6, False), ([line] * 600_000, 1_000, True)):
        reading = read_lines(lines, groups, observational=observational)
        assert reading.used <= 2 * arms.MAX_LINES


def test_a_hostile_block_takes_bounded_memory() -> None:
    tracemalloc.start()
    read_lines(["x", "Description:", "Drug: C"] * 100_000, 100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000_000


def test_lines_beyond_the_limit_are_left() -> None:
    arm = ["x", "Experimental group"]
    count = arms.MAX_LINES // 2
    whole = read_lines(arm * count, count)
    assert (len(whole.arms), whole.used, whole.decided) == (count, arms.MAX_LINES, "count")
    more = read_lines(arm * (count + 1), count + 1)
    assert (len(more.arms), more.used) == (count, arms.MAX_LINES)
    names = ["x"] * arms.MAX_LINES
    assert len(read_lines(names, len(names), observational=True).arms) == arms.MAX_LINES
    assert read_lines([*names, "x"], len(names) + 1, observational=True).arms == ()
