"""What changed between two records of a study, by meaning.

Compared is what the page says. Where it came from (`source`), list markers, the lines that warnings name, and blanks
are not; a label counts, the code that belongs to it does not. Arms are matched by label, criteria by text.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from trialscrape.quality.criteria_diff import SIDES, ChangeKind, compare_criteria, match_equal
from trialscrape.quality.pairing import Pair, name_study
from trialscrape.records import Arm, Design, Trial

FIELDS = (
    *(name for name in Trial.model_fields if name != "source"),
    *(f"eligibility.{name}" for name in ("combined", *SIDES)),
    *(f"design.{name}" for name in Design.model_fields),
    *(f"arms.{name}" for name in Arm.model_fields),
)
"""What changes are about; a name with a point is a part of the field before it."""

_NOT_OF_THE_PAGE = "nct_id_not_on_page"


class StudyChange(NamedTuple):
    """One change.

    Attributes:
        study: The NCT id, else the address, else the file.
        change: `added`, `removed` or `changed`; for a criterion also `reworded`, `moved` and `changed_side`.
        field: What it is about, out of `FIELDS`; None for a whole study.
        item: The label of the arm; the text of the criterion that moved or changed its side.
        old: The value before, as in the JSON of a record; of a study the title, of a criterion that moved its place
            (`2.1` is the first under the second), of one that changed its side the side. None where it was added.
        new: The value now, likewise.
    """

    study: str
    change: ChangeKind
    field: str | None
    item: str | None
    old: Any
    new: Any


def compare(pairs: Iterable[Pair], *, ignore: Collection[str] = ()) -> Iterator[StudyChange]:
    """Yield what changed between old and new records.

    Args:
        pairs: The records of each study.
        ignore: Names out of `FIELDS` whose changes are left out, with their parts.
    """
    for old, new in pairs:
        if old and new:
            changes = compare_trials(old, new)
            yield from (change for change in changes if not _is_ignored(change.field or "", ignore))
        elif new:
            yield StudyChange(name_study(new) or "", "added", None, None, None, new.title)
        elif old:
            yield StudyChange(name_study(old) or "", "removed", None, None, old.title, None)


def compare_trials(old: Trial, new: Trial) -> Iterator[StudyChange]:
    """Yield what changed between two records of one study, in the order of the fields."""
    study = name_study(new) or name_study(old) or ""
    before, now = _dump_page_values(old), _dump_page_values(new)
    for name in before:
        if name == "eligibility":
            if old.eligibility.combined != new.eligibility.combined:
                field = "eligibility.combined"
                yield StudyChange(study, "changed", field, None, old.eligibility.combined, new.eligibility.combined)
            for change in compare_criteria(old.eligibility, new.eligibility):
                kind, side, *values = change
                yield StudyChange(study, kind, f"eligibility.{side}", *values)
        elif name == "arms":
            yield from _compare_arms(study, before[name], now[name])
        elif name == "design" and before[name] and now[name]:
            yield from _compare_parts(study, name, before[name], now[name])
        elif _reduce_value(before[name]) != _reduce_value(now[name]):
            yield StudyChange(study, "changed", name, None, before[name], now[name])


def _is_ignored(field: str, ignore: Collection[str]) -> bool:
    return field in ignore or field.partition(".")[0] in ignore


def _dump_page_values(trial: Trial) -> dict[str, Any]:
    """Return what the page says, as JSON: an id that it was matched to is not its own, and warnings have no lines."""
    values = trial.model_dump(mode="json", exclude={"source", "spans"})
    if any(warning.code == _NOT_OF_THE_PAGE for warning in trial.warnings):
        values["nct_id"] = None
    values["unparsed"] = [line.text for line in trial.unparsed]
    values["warnings"] = [
        f"{warning.code}: {warning.message}" for warning in trial.warnings if warning.code != _NOT_OF_THE_PAGE
    ]
    return values


def _reduce_value(value: object) -> object:
    """Return what counts of a value: of a term its label, of a text its words."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, list):
        return [_reduce_value(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"label", "code"}:
            return _reduce_value(value["label"])
        return {name: _reduce_value(item) for name, item in value.items()}
    return value


def _compare_parts(
    study: str, field: str, old: dict[str, Any], new: dict[str, Any], item: str | None = None
) -> Iterator[StudyChange]:
    for name, value in old.items():
        if _reduce_value(value) != _reduce_value(new[name]):
            yield StudyChange(study, "changed", f"{field}.{name}", item, value, new[name])


# Arms


def _compare_arms(study: str, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[StudyChange]:
    """Match arms by label, then those of which nothing but the label changed; their order says nothing."""
    same = match_equal([_reduce_value(arm["label"]) for arm in old], [_reduce_value(arm["label"]) for arm in new])
    renamed = match_equal(
        [None if number in same else _describe_arm(arm) for number, arm in enumerate(old)],
        [None if number in same.values() else _describe_arm(arm) for number, arm in enumerate(new)],
    )
    matches = same | renamed
    for number, arm in enumerate(old):
        if number in matches:
            yield from _compare_parts(study, "arms", arm, new[matches[number]], arm["label"])
        else:
            yield StudyChange(study, "removed", "arms", arm["label"], arm, None)
    for number in sorted(set(range(len(new))) - set(matches.values())):
        yield StudyChange(study, "added", "arms", new[number]["label"], None, new[number])


def _describe_arm(arm: dict[str, Any]) -> str | None:
    """Return what an arm is besides its label; None where that says nothing."""
    has_more = arm["description"] or arm["interventions"]
    return repr(_reduce_value({**arm, "label": None})) if has_more else None
