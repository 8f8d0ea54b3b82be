"""Lines of criteria: which side they name, whether they are doubtful, and whether they say anything of their own."""

import pytest

from trialscrape.parsing.subheadings import Side, Subheading, introduces, read_subheading

INCLUSION = """
Inclusion
INCLUSION:
Inclusion Criteria :
Inclusion criteria (Part A)
Inclusion Criteria (in summary):
Group 1 Inclusion Criteria
A. Inclusion Criteria:
I) INCLUSION CRITERIA
Extension Inclusion Criteria:
Hearing group (planned 30) - Inclusion criteria:
Hearing group: inclusion:
Inclusion Criteria for Part B:
Inclusion criteria Part B
Inclusion Part A
Criteria for inclusion:
Inclusion criteria will include:
All patients must meet the following inclusion criteria:
Additional inclusion criteria:
Inclusion criteria 1:
"""
EXCLUSION = """
Key Exclusion Criteria:
Patient's exclusion criteria
Patient’s exclusion criteria
Subject exclusion criteria
Exclusion Criteria -
Exclusion Criteria;
Exclusion Criteria.
Exclusion criteria：
*Exclusion Criteria*
<b>Exclusion Criteria</b>
2. Exclusion Criteria
1.2 Exclusion criteria
EXCLUSION CRITERIA FOR BOTH GROUPS
Exclusion for both groups
Exclusion Criteria (any of the following …)
Exclusion (Part B)
Exclusion Criteria – Arm B
Non inclusion criteria
Non-inclusion criteria
HEALTHY VOLUNTEERS - EXCLUSION CRITERIA:
Cohort A (healthy): Exclusion Criteria:
Exclusion criteria are the following
Exclusion criteria as follows:
Exclusion Criteria include, but are not limited to:
Exclusions are the following
Exclusion criteria for patients who have a lamp:
Exclusion cirteria:
Criterios de exclusión:
Subjects meeting any of the following exclusion criteria
Pillow exclusion criteria Part B:
Exclusion criteria in owls:
Exclusion for owls:
Exclusion in both groups
Subjects meeting any of the following key exclusion criteria
"""
WITH_A_CRITERION = """
Inclusion Criteria: - adult
Inclusion: healthy women
Inclusion criteria for Part B: adults
Exclusion Criteria: None
Exclusion Criteria: not meeting the inclusion criteria
Exclusion criteria - asleep
Exclusion Criteria Subjects will not be eligible if they sleep
Exclusion criteria (weight > 90 kg):
Exclusion criteria for those under 18:
Inclusion criteria Part B: adults
"""
TITLES = """
Inclusion and exclusion criteria:
Inclusion/Exclusion Criteria
Key inclusion & exclusion criteria
Inclusion and exclusion criteria for the owl study
"""
DOUBTFUL = """
Inclusion Criteria: - adult Exclusion Criteria: - asleep
Inclusion criteria - adult - awake Exclusion criteria - asleep
Inclusion criteria: adult Exlusion criteria: asleep
Inclusion criteria: adults. Excluded: sleepers
Adults over 18. Exclusion criteria asleep
Exlusion criteria:
Exculsion:
Exclution Criteria
Exclusive criteria:
Excl. criteria:
Ineligibility criteria
Not eligible if:
Patients are excluded if:
Patients with the following are excluded:
Subjects will be excluded if they have any of the following
Excluded: sleepers
Ineligible:
Reasons for exclusion:
Grounds for exclusion are:
Non-exclusion criteria:
Exclusion criteria sleepers
Exclusion sleepers
Exclusion, sleep
Exclusion of the following sleepers:
Exclusion criteria of the parent study
Exclusion criteria of the ward
Exclusion criteria for the older study not met:
Pillow exclusion criteria
Subjects must not meet any of the following exclusion criteria:
Patients who meet any of the exclusion criteria below
Critères d'exclusion:
Pillow - exclusion are as follows:
Adults are eligible if:
Fulfils inclusion criteria Exclusion criteria asleep
Exclusion in owls:
Any reason except the following exclusion criteria:
The above owl exclusion criteria:
Subjects meeting the following inclusion criteria are not eligible:
Pillow - exclusion sleepers
Adults over 18; exclusion criteria of the ward
Adults over 18 - exclusion criteria of the ward
Owls who hoot. Exlusion criteria: sleepers
"""
NEITHER = """
Subjects who met an exclusion criterion of the parent study
Excluded if asleep
Exclusion of sleep by inspection
Exclusion by the investigator
Exclusion from another trial within a year
Fulfils inclusion criteria of study X
Does not meet inclusion criteria
Not meeting the inclusion criteria.
Inability to meet inclusion criteria
Meets all inclusion criteria listed above
Meets all inclusion and no exclusion criteria of the main study
Other protocol-defined inclusion/exclusion criteria may apply
Additional inclusion/exclusion criteria may apply
Not all inclusion/ exclusion criteria are listed.
Use of excluded lamps
Inclusion body myositis
Inclusion of women after consent
Inclusion in another trial
Consent before inclusion
Unsuitable for inclusion, such as:
Sleep (exclusion criterion)
No pillow exclusion criteria
Central vein occlusion:
Occlusion criteria:
Induction criteria:
Infusion criteria:
In conclusion:
History of sleep, excluding:
Excluding naps
Deep sleep, including:
Including:
Sleepers are excluded, except:
Age 18 to 65 years, inclusive:
Exclusively awake:
Patients not eligible for a bed
Patients must have:
Eligibility criteria:
Diagnostic criteria:
Main study:
Exclusion of participants
Pillow - exclusion of sleepers
"""


def table(text: str) -> list[str]:
    return text.strip().split("\n")


@pytest.mark.parametrize("text", table(INCLUSION))
def test_a_heading_names_inclusion(text: str) -> None:
    assert read_subheading(text) == Subheading("inclusion", frozenset({"inclusion"}), alone=True)


@pytest.mark.parametrize("text", table(EXCLUSION))
def test_a_heading_names_exclusion(text: str) -> None:
    assert read_subheading(text) == Subheading("exclusion", frozenset({"exclusion"}), alone=True)


@pytest.mark.parametrize("text", table(WITH_A_CRITERION))
def test_a_heading_may_hold_a_criterion(text: str) -> None:
    found = read_subheading(text)
    assert found
    assert (found.side, found.alone) == ("inclusion" if text.startswith("In") else "exclusion", False)


@pytest.mark.parametrize("item", [False, True])
@pytest.mark.parametrize("text", table(DOUBTFUL))
def test_what_speaks_of_a_side_like_a_heading_is_doubtful_where_it_is_not_understood(text: str, item: bool) -> None:  # noqa: FBT001
    found = read_subheading(text, item=item)
    assert found
    assert (found.side, found.alone) == (None, False)


def test_an_announcement_has_a_length() -> None:
    announcing = " any of the following "
    for length, side in {120: "exclusion", 121: None}.items():
        found = read_subheading("w" * (length - len(announcing)) + announcing + "exclusion criteria")
        assert found
        assert found.side == side


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("Exlusion criteria:", {"exclusion"}),
        ("Incluson criteria:", {"inclusion"}),
        ("Exculsion:", {"exclusion"}),
        ("Inculsion:", {"inclusion"}),
        ("Excl.:", {"exclusion"}),
        ("Incl.:", {"inclusion"}),
        ("Not eligible if:", {"exclusion"}),
        ("Adults are eligible if:", {"inclusion"}),
        ("Sleepers are excluded and owls are eligible if:", {"inclusion", "exclusion"}),
        ("Reasons for exclusion:", {"exclusion"}),
        ("Grounds for inclusion are:", {"inclusion"}),
        ("Non-exclusion criteria:", {"inclusion", "exclusion"}),
        ("Inclusion criteria: adult Exlusion criteria: asleep", {"inclusion", "exclusion"}),
        ("Exclusion criteria: asleep Incluson criteria: adult", {"inclusion", "exclusion"}),
        ("Inclusion criteria: adults. Excluded: sleepers", {"inclusion", "exclusion"}),
    ],
)
def test_what_is_doubtful_has_the_sides_that_it_mentions(text: str, sides: set[Side]) -> None:
    found = read_subheading(text)
    assert found
    assert found.side is None
    assert found.sides == sides


@pytest.mark.parametrize("item", [False, True])
@pytest.mark.parametrize("text", table(TITLES))
def test_a_title_of_both_sides_holds_no_criterion(text: str, item: bool) -> None:  # noqa: FBT001
    assert read_subheading(text, item=item) == Subheading(None, frozenset({"inclusion", "exclusion"}), alone=True)


@pytest.mark.parametrize("item", [False, True])
@pytest.mark.parametrize("text", table(NEITHER))
def test_a_criterion_may_mention_a_side(text: str, item: bool) -> None:  # noqa: FBT001
    assert read_subheading(text, item=item) is None


@pytest.mark.parametrize(
    "text",
    [
        "Pillow exclusion criteria:",
        "Pillow - exclusion criteria",
        "Pillow exclusion criteria for Part B:",
        "Exclusion criteria for the ward",
    ],
)
def test_less_is_understood_of_an_item(text: str) -> None:
    found = read_subheading(text, item=True)
    assert found
    assert found.side is None


def test_an_item_names_a_side_behind_other_words_where_marks_part_them() -> None:
    for text in ("Hearing group - inclusion criteria:", "Pillow: inclusion criteria:"):
        assert read_subheading(text, item=True) == Subheading("inclusion", frozenset({"inclusion"}), alone=True)


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("exclusion criteria", None),
        ("exclusion criteria of the ward", None),
        ("exclusion criteria:", "exclusion"),
        ("Exclusion criteria", "exclusion"),
    ],
)
def test_what_may_go_on_with_a_sentence_is_understood_with_a_capital_or_a_colon_only(
    text: str, side: str | None
) -> None:
    found = read_subheading(text, running=True)
    assert found
    assert (found.side, found.alone) == (side, side is not None)


@pytest.mark.parametrize("end", ["", ":"])
@pytest.mark.parametrize("criteria", ["", " criteria", " Criteria"])
@pytest.mark.parametrize("name", ["Inclusion", "Exclusion"])
@pytest.mark.parametrize("wrong", range(len("Inclusion")))
def test_a_misspelled_name_is_never_an_ordinary_line(name: str, wrong: int, criteria: str, end: str) -> None:
    """One letter too few, too many or wrong, or two of them swapped; the first is not doubled."""
    before, letter, after = name[:wrong], name[wrong], name[wrong + 1 :]
    swapped = before + after[:1] + letter + after[1:] if after else name
    for spelled in (before + after, before + letter * 2 + after if wrong else name, before + "k" + after, swapped):
        assert read_subheading(spelled + criteria + end), spelled


INTRODUCTIONS = """
Patients must have:
All patients must meet all of the following criteria:
Subjects who have:
Any of the following:
At least one of the following criteria:
One of these kinds of saucer:
HEALTHY SUBJECTS:
Men and women:
Group 1:
For adolescent participants:
Adequate organ function:
Allergic to:
Has a map of:
Coats that are:
Signs of a broken lamp:
"""
STATEMENTS = """
Platelets > 100:
Lives above 300 m:
The glass is gone:
the south, with one of:
Not awake:
Patients must not have:
No history of:
None of the following:
Patients without:
Lamps and one of the following:
Lamps with any of:
Age 18 or older:
Proven sleep, defined as:
Sleep including:
Patients who sleep:
Women who are asleep:
Must have lamps:
Lamps: one a day:
Finely carved and polished oak bed posts:
Patients must have
"""


@pytest.mark.parametrize("text", table(INTRODUCTIONS))
def test_a_line_introduces_others(text: str) -> None:
    assert introduces(text)


@pytest.mark.parametrize("word", ["at", "for", "from", "in", "of", "on", "to"])
def test_a_statement_that_is_left_open_introduces_others(word: str) -> None:
    assert introduces(f"Women who are seen {word}:")


@pytest.mark.parametrize("text", table(STATEMENTS))
def test_a_line_states_something_of_its_own(text: str) -> None:
    assert not introduces(text)
