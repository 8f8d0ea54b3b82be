"""Measure accuracy: registry studies to pages, pages to records, records against the registry.

    python -m bench.accuracy --registry ../shared/registry --studies 5000

For each source it prints how many fields and criteria are right, and how many are wrong with and without a warning of
the record. A wrong value without a warning is a defect: the first ones are printed, and the exit code is 1.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import trialscrape
from bench.criteria import compare
from bench.studies import make_study
from bench.truth import expect_record
from trialscrape.errors import NotAStudyPage
from trialscrape.records import Trial
from trialscrape.testing.pages import (
    Display,
    RegistryStudy,
    write_html,
    write_stripped_text,
    write_text,
    write_wordless_text,
)

ROOT = Path(__file__).parents[1]
REGISTRY = ROOT.parent / "shared" / "registry"
SHOWN = 10  # failures
CHUNK = 250  # studies a task
SIDES = ("eligibility.inclusion", "eligibility.exclusion", "eligibility.unassigned")
WHOLE_PAGE = {"cut_page", "guessed_charset", "stripped_page", "undecodable_bytes"}
"""Warnings that say of every field that it may be wrong."""

MARKER = re.compile(r" *(?:(?:•|[0-9]+\.) )?")
PROSE = {"brief_summary", "detailed_description"}
WRITERS: Mapping[str, Callable[[RegistryStudy, Display], str]] = {"text": write_text, "HTML": write_html}
"""The forms of a whole page."""

PARTS: Mapping[str, Callable[[RegistryStudy, Display], str]] = {
    "stripped text": write_stripped_text,
    "text without lines of a single word": write_wordless_text,
}
"""The forms that have lost a part of the page: what is still in the record must be right."""


class Failure(NamedTuple):
    """A value that is not the registry's: of which study and field, what was expected, and what the record has."""

    nct_id: str
    field: str
    expected: Any
    found: Any
    is_warned: bool


class Score(NamedTuple):
    """How many values of pages are right, and those that are not.

    Attributes:
        pages: How many pages were read.
        fields: How many fields are right, and how many there are, criteria aside.
        criteria: How many criteria are right, and how many the pages or the records have.
        warned: How many pages have a warning that the page gives reason for, or not.
        failures: The values that are wrong; a criterion is one value.
    """

    pages: int = 0
    fields: tuple[int, int] = (0, 0)
    criteria: tuple[int, int] = (0, 0)
    warned: int = 0
    failures: tuple[Failure, ...] = ()

    def add(self, other: "Score") -> "Score":
        """Return the sum of two."""
        return Score(
            self.pages + other.pages,
            (self.fields[0] + other.fields[0], self.fields[1] + other.fields[1]),
            (self.criteria[0] + other.criteria[0], self.criteria[1] + other.criteria[1]),
            self.warned + other.warned,
            self.failures + other.failures,
        )

    @property
    def silent(self) -> list[Failure]:
        """The wrong values that no warning tells of."""
        return [failure for failure in self.failures if not failure.is_warned]


def score_page(study: RegistryStudy, display: Display, form: str) -> Score:
    """Write a page of a study, read it, and compare the record with the registry."""
    trial = trialscrape.parse(WRITERS[form](study, display))
    expected, found = expect_record(study, display), flatten(trial)
    nct_id = study["protocolSection"]["identificationModule"]["nctId"]
    fields = [field for field in found if field not in SIDES]
    failures = [
        Failure(nct_id, field, expected[field], found[field], is_warned(trial, field))
        for field in fields
        if select(field, expected[field], form) != select(field, found[field], form)
    ]
    score = Score(1, (len(fields) - len(failures), len(fields)), (0, 0), int(bool(trial.warnings)), tuple(failures))
    for side in SIDES:
        score = score.add(score_criteria(nct_id, side, expected[side], found[side], warned=is_warned(trial, side)))
    return score


def score_part(study: RegistryStudy, display: Display, form: str) -> Score:
    """Write a page that has lost a part, read it, and compare what the record still has with the registry.

    One that has lost so much that it is refused as no study page does not count.
    """
    try:
        trial = trialscrape.parse(PARTS[form](study, display))
    except NotAStudyPage:
        return Score()
    expected, found = expect_record(study, display), flatten(trial)
    nct_id = study["protocolSection"]["identificationModule"]["nctId"]
    # Whether a page has one section for both sides is no value of the study.
    kept = [field for field, value in found.items() if value not in (None, []) and field != "eligibility.combined"]
    fields = [field for field in kept if field not in SIDES]
    failures = [
        Failure(nct_id, field, expected[field], found[field], is_warned(trial, field))
        for field in fields
        if not is_part(found[field], expected[field])
    ]
    score = Score(1, (len(fields) - len(failures), len(fields)), (0, 0), int(bool(trial.warnings)), tuple(failures))
    texts = {side: {line for row in walk(expected[side]) for line in row[1].split("\n")} for side in SIDES}
    texts["eligibility.unassigned"] = set().union(*texts.values())  # a side that cannot be known is no wrong one
    for side in SIDES:
        rows = list(walk(found[side]))
        wrong = [row for row in rows if not texts[side].issuperset(row[1].split("\n"))]
        failures = [Failure(nct_id, side, None, row, is_warned(trial, side)) for row in wrong]
        score = score.add(Score(criteria=(len(rows) - len(wrong), len(rows)), failures=tuple(failures)))
    return score


def is_part(found: Any, expected: Any) -> bool:  # noqa: ANN401  it is JSON
    """Return whether a value is the expected one, some of its lines with or without markers, or some of its items."""
    if isinstance(found, str) and isinstance(expected, str):
        return {drop_marker(line) for line in found.split("\n")} <= {drop_marker(line) for line in expected.split("\n")}
    return all(item in expected for item in found) if isinstance(found, list) else bool(found == expected)


def drop_marker(line: str) -> str:
    """Return a line of prose without indent and marker."""
    return MARKER.sub("", line)


def score_criteria(nct_id: str, side: str, expected: list[Any], found: list[Any], *, warned: bool) -> Score:
    """Compare the criteria of a side: text, kind, marker, and what each is nested under, all in their order."""
    first, second = list(walk(expected)), list(walk(found))
    if first == second:
        return Score(criteria=(len(first), len(first)))
    missing, extra = (Counter(first) - Counter(second)), (Counter(second) - Counter(first))
    wrong: list[tuple[Any, Any]] = [(row, None) for row in missing.elements()]
    wrong += [(None, row) for row in extra.elements()]
    wrong = wrong or [(first, second)]  # the same in another order
    failures = tuple(Failure(nct_id, side, row, other, warned) for row, other in wrong)
    total = len(first) + extra.total()
    return Score(criteria=(total - len(failures), total), failures=failures)


def walk(nodes: Iterable[Mapping[str, Any]], above: tuple[str, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give a row for each criterion, a parent before its children: kind, text, marker, and the texts above it."""
    for node in nodes:
        yield node["kind"], node["text"], node["marker"], above
        yield from walk(node["children"], (*above, node["text"]))


def flatten(trial: Trial) -> dict[str, Any]:
    """Return the fields of a record as JSON, those of the design and the criteria by path."""
    record = trial.model_dump(mode="json", exclude={"source", "unparsed", "warnings"})
    parts = ("primary_purpose", "allocation", "intervention_model", "masking")
    design = record.pop("design") or dict.fromkeys(parts)
    eligibility = record.pop("eligibility")
    record |= {f"design.{part}": design[part] for part in parts}
    return record | {f"eligibility.{part}": value for part, value in eligibility.items()}


def select(field: str, value: Any, form: str) -> Any:  # noqa: ANN401  it is JSON
    """Return what of a value counts: where the page is HTML, the blank lines within prose are the extractor's."""
    if field in PROSE and value is not None and form == "HTML":
        return [line for line in value.split("\n") if line]
    return value


def is_warned(trial: Trial, field: str) -> bool:
    """Return whether a warning is about a field, or about the whole page; one of any side is about all criteria."""
    fields = {warning.field for warning in trial.warnings}
    whole = any(warning.code in WHOLE_PAGE for warning in trial.warnings)
    return whole or field in fields or (field in SIDES and not fields.isdisjoint(SIDES))


def read_registry(folder: Path) -> list[tuple[RegistryStudy, Display]]:
    """Read the registry's studies of a folder."""
    return [(json.loads(path.read_text(encoding="utf-8")), Display()) for path in sorted(folder.glob("NCT*.json"))]


def score_studies(studies: Iterable[tuple[RegistryStudy, Display]]) -> dict[str, Score]:
    """Score the pages of studies, by form."""
    scores = dict.fromkeys([*WRITERS, *PARTS], Score())
    for study, display in studies:
        for form in WRITERS:
            scores[form] = scores[form].add(score_page(study, display, form))
        for form in PARTS:
            scores[form] = scores[form].add(score_part(study, display, form))
    return scores


def score_generated(numbers: range, seed: int) -> dict[str, Score]:
    """Score the generated studies of these numbers."""
    return score_studies(make_study(number, seed) for number in numbers)


def measure(registry: Path | None, studies: int, seed: int) -> dict[str, Score]:
    """Score every source, by its name."""
    scores: dict[str, Score] = {}
    if registry:
        scores |= {f"registry, {form}": score for form, score in score_studies(read_registry(registry)).items()}
    tasks = [range(start, min(start + CHUNK, studies)) for start in range(0, studies, CHUNK)]
    generated = dict.fromkeys([*WRITERS, *PARTS], Score())
    with ProcessPoolExecutor() as pool:
        for part in pool.map(partial(score_generated, seed=seed), tasks):
            generated = {form: generated[form].add(score) for form, score in part.items()}
    return scores | {f"generated, {form}": score for form, score in generated.items()}


def print_table(scores: Mapping[str, Score]) -> None:
    """Print a row a source."""
    print("| source | pages | fields right | criteria right | wrong without a warning | wrong, warned | pages warned |")
    print("|---|---|---|---|---|---|---|")
    for source, score in scores.items():
        fields, criteria = (f"{right:,} of {total:,}" for right, total in (score.fields, score.criteria))
        silent = len(score.silent)
        warned = len(score.failures) - silent
        print(f"| {source} | {score.pages:,} | {fields} | {criteria} | {silent:,} | {warned:,} | {score.warned:,} |")


def print_failures(failures: Iterable[Failure], shown: int) -> None:
    """Print the first failures."""
    for failure in islice(failures, shown):
        print(f"{failure.nct_id} {failure.field}{' (warned)' * failure.is_warned}")
        print(f"  expected {json.dumps(failure.expected, ensure_ascii=False)}")
        print(f"  found    {json.dumps(failure.found, ensure_ascii=False)}")


def main() -> None:
    """Print the table, and what is wrong without a warning."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--registry", type=Path, default=REGISTRY if REGISTRY.is_dir() else None, help="NCT*.json files"
    )
    parser.add_argument("--studies", type=int, default=5_000, help="how many studies to generate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--warned", action="store_true", help="also print wrong values that a warning tells of")
    options = parser.parse_args()
    scores = measure(options.registry, options.studies, options.seed)
    if not options.registry:
        print(f"{REGISTRY} is not there: without real studies. Name a folder of NCT*.json files with --registry.\n")
    print_table(scores)
    print()
    compare()
    silent = [failure for score in scores.values() for failure in score.silent]
    failures = [failure for score in scores.values() for failure in score.failures] if options.warned else silent
    print_failures(failures, SHOWN)
    sys.exit(1 if silent else 0)


if __name__ == "__main__":
    main()
