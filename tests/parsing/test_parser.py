"""A page to its record: doubts are reported, and nothing is lost."""

import copy
import hashlib

import pytest

import trialscrape
from support.page import PAGE, with_
from trialscrape.records import Term


def list_warnings(page: str) -> list[tuple[str, int | None, str]]:
    return [(each.code, each.line, each.message) for each in trialscrape.parse(page).warnings]


def line_of(text: str, page: str = PAGE) -> int:
    return page[: page.index(f"\n{text}\n") + 1].count("\n") + 1


FIRST = line_of("Treatment:")


def test_the_page_is_read_without_doubt() -> None:
    trial = trialscrape.parse(PAGE, file="page.txt", url="https://example.org/study/tree")
    assert (trial.nct_id, trial.acronym, trial.sponsor) == (
        "NCT99000100",
        "TREEBATH",
        "Institute for Arboreal Medicine",
    )
    assert trial.overall_status == Term(label="Enrolling", code="RECRUITING")
    assert trial.brief_summary == "Clerks sit under trees.\n\nDo they rest?"
    assert (trial.source.file, trial.source.url) == ("page.txt", "https://example.org/study/tree")
    assert (trial.document_count, trial.location_count, trial.central_contacts) == (1, 3, ("Flora Example",))
    assert trial.warnings == ()
    assert trial.unparsed == ()


def test_how_a_visitor_came_is_no_part_of_the_address() -> None:
    url = 'https://example.org/study/tree?comeFrom={"type":"site","slug":"a-clinic"}'
    assert trialscrape.parse(PAGE, url=url).source.url == "https://example.org/study/tree"


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("Enrolling", "Paused", "unknown_label", "expected a known label, found 'Paused'; it is kept as it is"),
        ("Phase 2", "Phase 9", "unknown_label", "expected a known label, found 'Phase 9'; it is kept as it is"),
        (
            "Other: Potted plant\n\nStudy",
            "Other: Potted plant\nSpell: rest\n\nStudy",
            "unknown_label",
            "expected a known label, found 'Spell'; it is kept as it is",
        ),
        (
            "18 to 65 years old",
            "Any age",
            "unknown_label",
            "expected a known label, found 'Any age'; it is kept as it is",
        ),
        (
            "1,240 estimated patients",
            "about 1,240 patients",
            "unreadable_line",
            "expected 'N patients' or 'N estimated patients', found 'about 1,240 patients'",
        ),
        (
            "Accepts Healthy Volunteers",
            "Perhaps",
            "unreadable_line",
            "expected 'Accepts Healthy Volunteers' or 'No Healthy Volunteers', found 'Perhaps'",
        ),
        (
            "1,240 participants in",
            "1,250 participants in",
            "enrollment_differs",
            "expected 1,240 participants as enrolled, found 1,250",
        ),
        ("in 2 patient groups", "in 3 patient groups", "groups_differ", "expected 3 arms by this line, found 2"),
        (
            "Potted plant\n\nTrial documents",
            "Plastic plant\n\nTrial documents",
            "unlisted_treatment",
            "expected a line of 'Treatments', found 'Other: Plastic plant'",
        ),
        (
            "Active Comparator group",
            "Quiet Comparator group",
            "unknown_label",
            "expected a known arm type, found 'Quiet Comparator group'; it is kept as it is",
        ),
        (
            "2 patient groups",
            "2 patient groups, including a placebo group",
            "placebo_differs",
            "expected an arm of type 'Placebo Comparator' by this line, found none",
        ),
        (
            "Active Comparator group",
            "Placebo Comparator group",
            "placebo_differs",
            "expected no arm of type 'Placebo Comparator' by this line, found one",
        ),
        (
            "A longer text about trees.",
            "Text.\n\nFull description\n\nMore.",
            "ambiguous_heading",
            "expected the heading 'Full description' once, found it again; the first was taken",
        ),
    ],
)
def test_one_doubt_gives_one_warning(old: str, new: str, code: str, message: str) -> None:
    assert [(found, text) for found, _, text in list_warnings(with_((old, new)))] == [(code, message)]


def test_a_warning_names_its_line() -> None:
    assert list_warnings(with_(("Enrolling", "Paused")))[0][1] == line_of("Enrolling")
    assert list_warnings(with_(("18 to 65 years old", "Any age")))[0][1] == line_of("18 to 65 years old")


@pytest.mark.parametrize(
    ("heading", "renamed", "warnings"),
    [
        ("Ages", "Age range", [("unknown_heading", 60, "expected a known heading or none, found 'Age range'")]),
        (
            "Volunteers",
            "Healthy people",
            [
                (
                    "missing_section",
                    line_of("Ages"),
                    "expected the heading 'Volunteers' after 'Ages', found none; "
                    "it may be 'Healthy people' in line 64 or 'Accepts Healthy Volunteers' in line 66",
                ),
                ("unknown_heading", 64, "expected a known heading or none, found 'Healthy people'"),
            ],
        ),
        (
            "Exclusion criteria",
            "Not for you",
            [
                (
                    "missing_section",
                    line_of("Inclusion criteria"),
                    "expected the heading 'Exclusion criteria' after 'Inclusion criteria', found none; "
                    f"it may be 'Not for you' in line {line_of('Exclusion criteria')}",
                )
            ],
        ),
        (
            "Conditions",
            "Diseases",
            [
                (
                    "missing_section",
                    line_of("Status and phase"),
                    "expected the heading 'Conditions' after 'Status and phase', found none; "
                    "it may be 'Diseases' in line 16",
                ),
                ("unknown_heading", 16, "expected a known heading or none, found 'Diseases'"),
            ],
        ),
        (
            "Treatments",
            "Cures",
            [
                ("unknown_heading", 21, "expected a known heading or none, found 'Cures'"),
                (
                    "unlisted_treatment",
                    line_of("Treatment:") + 1,
                    "expected a line of 'Treatments', found 'Behavioral: Tree bathing'",
                ),
                (
                    "unlisted_treatment",
                    line_of("Treatment:") + 5,
                    "expected a line of 'Treatments', found 'Other: Potted plant'",
                ),
            ],
        ),
    ],
)
def test_a_renamed_heading_is_told(heading: str, renamed: str, warnings: list[object]) -> None:
    assert list_warnings(with_((f"\n{heading}\n", f"\n{renamed}\n"))) == warnings


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ([("Enrollment\n\n1,240 estimated patients\n\n", "")], []),
        ([("Ages\n\n18 to 65 years old\n\n", "")], []),
        ([("Trial design\n", "\n"), ("Interventional\n", "Expanded Access\n")], []),
        ([("Trial design\n", "\n"), ("Interventional\n", "Observational\n")], []),
        ([("Trial design\n", "\n")], ["Trial design"]),
        ([("Treatments\n\nBehavioral: Tree bathing\nOther: Potted plant\n\n", "")], []),
        ([("Loading...\n", "\n")], ["Loading..."]),
    ],
)
def test_what_is_missing_is_told_where_it_is_strange(changes: list[tuple[str, str]], missing: list[str]) -> None:
    warnings = list_warnings(with_(*changes))
    assert [text.split("'")[1] for code, _, text in warnings if code == "missing_section"] == missing


def test_a_page_cut_anywhere_gives_what_is_there() -> None:
    whole = trialscrape.parse(PAGE)
    for stop in range(PAGE.index("Restlessness"), PAGE.index("Data sourced"), 7):
        trial = trialscrape.parse(PAGE[:stop])
        assert "cut_page" in {each.code for each in trial.warnings}
        assert (trial.title, trial.sponsor, trial.overall_status) == (whole.title, whole.sponsor, whole.overall_status)


def test_a_page_without_its_top_gives_what_is_there() -> None:
    trial = trialscrape.parse(PAGE[PAGE.index("Conditions") :])
    assert [each.message for each in trial.warnings] == [
        "expected the title above the first heading, found none",
        "expected the sponsor above the first heading, found none",
        "expected the heading 'Status and phase', found none",
    ]
    without_chrome = trialscrape.parse(PAGE[PAGE.index("Tree Bathing") :])
    assert facts(without_chrome) == facts(trialscrape.parse(PAGE))


def facts(trial: trialscrape.Trial) -> dict[str, object]:
    """Return what a record says of the study, without where it came from."""
    return trial.model_dump(exclude={"source"})


@pytest.mark.parametrize("mark", ["I", "T", "É", "3", "i", "Institute for Arboreal Medicine logo", "Old name logo"])
def test_the_sponsors_letter_or_logo_is_chrome(mark: str) -> None:
    assert facts(trialscrape.parse(with_(("\nI\n", f"\n{mark}\n")))) == facts(trialscrape.parse(PAGE))


def test_without_letter_or_logo_the_title_is_in_doubt() -> None:
    trial = trialscrape.parse(with_(("\nI\n", "\n")))
    assert (trial.title, trial.sponsor) == (trialscrape.parse(PAGE).title, "Institute for Arboreal Medicine")
    (warning,) = trial.warnings
    assert (warning.code, warning.severity, warning.field, warning.line) == ("missing_section", "alarm", "sponsor", 5)
    assert warning.message == "expected the sponsor's letter or logo between title and sponsor, found none"


@pytest.mark.parametrize(
    ("banner", "site"),
    [
        ("I\n\nIKON | Oak City, UT\n\nVeeva-enabled site\n", ("IKON | Oak City, UT", True)),
        ("Oak Clinic logo\n\nOak Clinic\n", ("Oak Clinic", False)),
    ],
)
def test_the_banner_of_a_research_site_stands_above_the_title(banner: str, site: tuple[str, bool]) -> None:
    traced = trialscrape.trace(with_(("Menu\n", f"Menu\nThe trial is taking place at:\n{banner}")))
    assert traced.referring_site is not None
    assert (traced.referring_site.name, traced.referring_site.veeva_enabled) == site
    assert traced.spans["referring_site"] == (4, 4 + banner.count("\n"))
    of_the_page = facts(trialscrape.parse(PAGE)) | {"referring_site": {"name": site[0], "veeva_enabled": site[1]}}
    assert facts(trialscrape.Trial.model_validate(traced.model_dump(exclude={"spans"}, by_alias=True))) == of_the_page


def test_a_wordless_page_gives_what_is_certain() -> None:
    lines = [line if " " in line or not line else "" for line in PAGE.split("\n")]
    trial = trialscrape.parse("\n".join(lines))
    assert (trial.title, trial.acronym, trial.sponsor) == (
        "Tree Bathing for Restless Clerks (TREEBATH)",
        "TREEBATH",
        None,
    )
    assert [phase.code for phase in trial.phases] == ["PHASE2"]
    assert (trial.overall_status, trial.conditions, trial.interventions, trial.identifiers) == (None, (), (), ())
    assert (trial.brief_summary, trial.detailed_description) == (None, "A longer text about trees.")
    assert (trial.enrollment, trial.ages, trial.healthy_volunteers, trial.arms) == (None, None, None, ())
    assert [criterion.text for criterion in trial.eligibility.inclusion] == ["Clerk by trade", "Restless"]
    assert trial.participants is not None
    assert trial.participants.count == 1240
    assert trial.central_contacts == ("Flora Example",)
    assert [(warning.code, warning.severity) for warning in trial.warnings] == [("stripped_page", "doubt")]
    assert trial.source.form == "stripped"
    assert "1,240 estimated patients" in [line.text for line in trial.unparsed]


@pytest.mark.parametrize("gone", range(4))
def test_the_prose_of_a_wordless_page_ends_at_the_first_value_behind_it(gone: int) -> None:
    values = ("1,240 estimated patients", "18 to 65 years old", "Accepts Healthy Volunteers")
    page = with_(*((value, "") for value in values[:gone]))
    trial = trialscrape.parse("\n".join(line if " " in line or not line else "" for line in page.split("\n")))
    assert trial.detailed_description == "A longer text about trees."
    assert [line.text for line in trial.unparsed if line.text in values] == list(values[gone:])


def test_a_phase_under_status_is_a_phase() -> None:
    trial = trialscrape.parse(with_(("Status and phase", "Status")))
    assert [phase.code for phase in trial.phases] == ["PHASE2"]
    assert trial.overall_status is not None
    assert trial.overall_status.code == "RECRUITING"


def test_unknown_lines_are_kept_where_they_are() -> None:
    page = with_(("Menu", "Menu\n\nSkip to content"), ("© Copyright", "Imprint\n© Copyright"))
    assert [(each.line, each.text) for each in trialscrape.parse(page).unparsed] == [
        (5, "Skip to content"),
        (line_of("Imprint", page), "Imprint"),
    ]


def test_too_deep_criteria_are_told() -> None:
    deep = "".join("  " * level + f"• {level}\n" for level in range(1, 60))
    trial = trialscrape.parse(with_(("  • Clerk by trade\n", deep)))
    assert [each.code for each in trial.warnings] == ["criteria_too_deep"]
    assert trial.warnings[0].line == line_of("Inclusion criteria") + 2 + 40
    assert type(trial).model_validate_json(trial.model_dump_json()) == trial


def test_the_same_page_gives_the_same_bytes() -> None:
    assert trialscrape.parse(PAGE).model_dump_json() == trialscrape.parse(PAGE.encode()).model_dump_json()
    assert trialscrape.parse(PAGE).source.sha256 == hashlib.sha256(PAGE.encode()).hexdigest()


def test_trace_names_the_lines_of_each_field() -> None:
    traced = trialscrape.trace(PAGE)
    lines = PAGE.split("\n")
    assert traced.spans["title"] == (5, 5)
    assert traced.spans["nct_id"] == (line_of("NCT99000100"), line_of("NCT99000100"))
    assert [lines[line - 1] for line in traced.spans["phases"]] == ["Phase 2", "Phase 2"]
    first, last = traced.spans["arms"]
    assert (lines[first - 1], lines[last - 1]) == ("Forest", "Other: Potted plant")
    assert traced.model_dump(exclude={"spans"}) == trialscrape.parse(PAGE).model_dump()
    assert type(traced).model_validate_json(traced.model_dump_json()) == traced


def test_errors_survive_a_process_border() -> None:
    error = copy.copy(trialscrape.NotAStudyPage("no", 3))  # by the same protocol as pickle
    assert (error.outcome, error.message, error.line, str(error)) == ("not_a_study_page", "no", 3, "no")


@pytest.mark.parametrize(
    "heading",
    ["Conditions", "Study type", "About", "Enrollment", "Sex", "Ages", "Volunteers", "Masking", "Inclusion criteria"],
)
def test_a_heading_over_nothing_is_told(heading: str) -> None:
    start = PAGE.index(f"\n{heading}\n\n") + len(heading) + 3
    end = PAGE.index("\n\n", start) if heading != "About" else PAGE.index("Full description") - 2
    message = f"expected something under {heading!r}, found nothing"
    assert ("empty_section", line_of(heading), message) in list_warnings(PAGE[:start] + PAGE[end:])


def test_identifiers_and_the_status_may_be_empty() -> None:
    assert list_warnings(with_(("NCT99000100\nIAM-7 (Other Identifier)\n", ""), ("Enrolling\nPhase 2\n", ""))) == []


def test_what_stands_between_the_sponsor_and_the_first_heading_is_told() -> None:
    page = with_(("Status and phase", "Collaborators\n\nOak Inc\n\nStatus and phase"))
    trial = trialscrape.parse(page)
    assert (trial.title, trial.sponsor) == (trialscrape.parse(PAGE).title, "Institute for Arboreal Medicine")
    assert [(each.code, each.line) for each in trial.warnings] == [("unknown_heading", 11), ("unknown_heading", 13)]


def test_an_nct_id_of_another_study_is_not_this_ones() -> None:
    trial = trialscrape.parse(with_(("NCT99000100\n", "NCT99000999 (Registry Identifier)\nNCT99000100\n")))
    assert trial.nct_id == "NCT99000100"
    assert trialscrape.parse(with_(("NCT99000100\n", "NCT99000999 (Registry Identifier)\n"))).nct_id is None


def test_a_combined_section_is_rendered_as_one() -> None:
    page = with_(
        ("Inclusion criteria\n\n", "Inclusion and exclusion criteria\n\nInclusion:\n\n"),
        ("Exclusion criteria\n", "Exclusion:\n"),
    )
    again = trialscrape.render(trialscrape.parse(page))
    assert "\nInclusion and exclusion criteria\n" in again
    assert facts(trialscrape.parse(again)) == facts(trialscrape.parse(page))


def test_a_study_without_limits_is_rendered_without_the_heading() -> None:
    trial = trialscrape.parse(with_(("Ages\n\n18 to 65 years old\n\n", "")))
    again = trialscrape.parse(trialscrape.render(trial))
    assert "\nAges\n" not in trialscrape.render(trial)
    assert facts(again) == facts(trial)


def test_a_file_name_that_is_no_text_is_written_out() -> None:
    assert trialscrape.parse(PAGE, file="\udcff").source.file == "\\udcff"


ARMS = PAGE[PAGE.index("Forest\n") : PAGE.index("\n\nTrial documents")]


def with_arms(arms: str, groups: str = "2 patient groups") -> str:
    return with_((ARMS, arms), ("2 patient groups", groups))


@pytest.mark.parametrize(
    ("kind", "groups"),
    [
        ("Placebo Comparator", "2 patient groups, including a placebo group"),
        ("Sham Comparator", "2 patient groups, including a placebo group"),
        ("Sham Comparator", "2 patient groups"),
        ("Other", "2 patient groups"),
    ],
)
def test_an_arm_type_agrees_with_the_sentence(kind: str, groups: str) -> None:
    page = with_(("Active Comparator group", f"{kind} group"), ("2 patient groups", groups))
    assert list_warnings(page) == []


def test_a_type_that_nobody_has_met_may_be_the_placebo_group() -> None:
    page = with_(("Active Comparator", "Quiet"), ("2 patient groups", "2 patient groups, including a placebo group"))
    assert [code for code, _, _ in list_warnings(page)] == ["unknown_label"]


def test_arms_without_types_say_nothing_of_a_placebo_group() -> None:
    page = with_(
        ("Interventional\n", "Observational\n"),
        ("Forest\nExperimental group\n", "Forest\n"),
        ("Office\nActive Comparator group\n", "Office\n"),
        ("2 patient groups", "2 patient groups, including a placebo group"),
    )
    assert list_warnings(page) == []
    assert [arm.label for arm in trialscrape.parse(page).arms] == ["Forest", "Office"]


def test_a_cut_page_may_show_fewer_arms_than_it_says_and_not_more() -> None:
    page = with_(("2 patient groups", "2 patient groups, including a placebo group"))
    cut = page[: page.index("Office\n")]
    assert [code for code, _, _ in list_warnings(cut)] == ["cut_page"]
    more = page[: page.index("\n\nTrial documents")].replace("2 patient groups", "1 patient group")
    assert "groups_differ" in [code for code, _, _ in list_warnings(more)]


def test_a_type_line_under_a_description_begins_the_next_arm() -> None:
    arms = "Control\nNo Intervention group\nDescription:\nA desk\nTest\nOther group\nTreatment:\nOther: Potted plant"
    trial = trialscrape.parse(with_arms(arms))
    assert [(arm.label, arm.description) for arm in trial.arms] == [("Control", "A desk"), ("Test", None)]
    assert trial.arms[1].type == Term(label="Other", code="OTHER")
    assert trial.warnings == ()


def test_the_study_type_says_whether_a_group_line_is_a_type() -> None:
    names = with_arms("Clerks\nPlacebo Comparator group\nDescription:\nNo tree")
    assert [arm.label for arm in trialscrape.parse(names.replace("Interventional\n", "Observational\n")).arms] == [
        "Clerks",
        "Placebo Comparator group",
    ]
    assert [arm.label for arm in trialscrape.parse(names).arms] == ["Clerks"]


@pytest.mark.parametrize("label", ["Description:", "Treatment:"])
def test_a_label_over_nothing_is_unparsed(label: str) -> None:
    trial = trialscrape.parse(with_arms(f"{ARMS}\nHall\nNo Intervention group\n{label}", "3 patient groups"))
    assert [line.text for line in trial.unparsed] == [label]
    assert [arm.label for arm in trial.arms] == ["Forest", "Office", "Hall"]
    assert [warning.code for warning in trial.warnings] == ["ambiguous_arms"]


def test_backslashes_of_the_registry_stay_in_a_description() -> None:
    trial = trialscrape.parse(with_(("One hour under an oak.", "One hour \\[or two\\], \\< 3 oaks")))
    assert trial.arms[0].description == "One hour \\[or two\\], \\< 3 oaks"


LONG = "9" + ",999" * 1_433


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("1,240 estimated", f"{LONG} estimated", "enrollment"),
        ("1,240 participants", f"{LONG} participants", "participants"),
        ("documents\n1\n", f"documents\n{LONG}\n", "document_count"),
        ("locations\n\n3\n", f"locations\n\n{LONG}\n", "location_count"),
    ],
)
def test_a_number_of_4300_digits_is_no_count(old: str, new: str, field: str) -> None:
    trial = trialscrape.parse(with_((old, new)))
    assert getattr(trial, field) is None
    assert "unreadable_line" in {warning.code for warning in trial.warnings}
    assert any(LONG in line.text for line in trial.unparsed)


def test_the_page_s_own_address_is_used_where_none_is_given() -> None:
    page = "<!-- saved from url=(0041)https://example.org/study/tree?comeFrom=x --><pre>" + PAGE
    assert trialscrape.parse(page).source.url == "https://example.org/study/tree"
    given = 'https://example.org/study/oak?comeFrom={"type":"site"}'
    assert trialscrape.parse(page, url=given).source.url == "https://example.org/study/oak"
    assert trialscrape.parse(PAGE, url=given).source.url == "https://example.org/study/oak"
    assert trialscrape.parse(PAGE).source.url is None


def test_the_charset_that_came_with_a_page_is_its_charset() -> None:
    page = PAGE.replace("Institute for Arboreal Medicine", "Институт").encode("cp1251")
    header = "text/html; charset=windows-1251"
    trial = trialscrape.parse(page, content_type=header)
    assert (trial.sponsor, trial.warnings) == ("Институт", ())
    assert trialscrape.trace(page, content_type=header).sponsor == "Институт"
    assert [warning.code for warning in trialscrape.parse(page).warnings] == ["guessed_charset"]


def test_a_condition_with_a_headings_words_is_none_even_above_what_looks_like_its_values() -> None:
    page = with_(("Restlessness\n", "Restlessness\nTreatments\n0.5 mm Thorns: Removal\n"))
    trial = trialscrape.parse(page)
    assert trial.conditions == ("Restlessness", "Treatments", "0.5 mm Thorns: Removal", "Clerk, Weary")
    assert [each.name for each in trial.interventions] == ["Tree bathing", "Potted plant"]
    assert not trial.warnings


def test_the_last_condition_of_a_study_without_treatments_may_have_their_headings_words() -> None:
    gone = "Treatments\n\nBehavioral: Tree bathing\nOther: Potted plant\n\n"
    page = with_((gone, ""), ("Clerk, Weary\n", "Treatments\n"), ("Treatment:\nBehavioral: Tree bathing\n", ""))
    trial = trialscrape.parse(page)
    assert trial.conditions == ("Restlessness", "Treatments")
    assert trial.interventions == ()


@pytest.mark.parametrize(
    ("sentence", "groups", "labels"),
    [
        ("1,240 participants in 2 patient groups", "Forest\nDescription:\nAn hour.\nMasking", ["Forest", "Masking"]),
        ("1,240 participants in 1 patient group", "Masking", ["Masking"]),
    ],
)
def test_the_last_group_of_a_study_may_have_a_headings_words(sentence: str, groups: str, labels: list[str]) -> None:
    start, stop = PAGE.index("Primary purpose"), PAGE.index("Trial documents")
    page = f"{PAGE[:start]}{sentence}\n\n{groups}\n\n{PAGE[stop:]}".replace("Interventional", "Observational")
    trial = trialscrape.parse(page)
    assert [arm.label for arm in trial.arms] == labels
    assert trial.design is None
