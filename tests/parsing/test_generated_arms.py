"""Thousands of arms blocks whose right reading is known: none may be read wrongly without a warning."""

from collections import Counter
from random import Random

import pytest

from support.generated_arms import LISTED, Block, Shape, build, possible_counts
from trialscrape.parsing import arms


def read(block: Block) -> arms.ParsedArms:
    return arms.parse_arms(
        block.texts, set(LISTED), block.groups, complete=block.complete, observational=block.observational
    )


def shape(reading: arms.ParsedArms) -> list[Shape]:
    return [
        (
            arm.label,
            arm.type.label if arm.type else None,
            arm.description,
            tuple(f"{each.type.label}: {each.name}" for each in arm.interventions),
        )
        for arm in reading.arms
    ]


def warns(block: Block, reading: arms.ParsedArms) -> bool:
    """Return whether the record of this block would hold a warning, or lines that nobody read."""
    count = len(reading.arms)
    differs = block.groups is not None and (count > block.groups or (block.complete and count < block.groups))
    left = reading.left or reading.used < len(block.lines)
    return bool(reading.decided == "choice" or reading.unlisted or reading.unknown_types or left or differs)


def blocks(seed: int, count: int) -> list[Block]:
    random = Random(seed)  # noqa: S311  the same blocks in every run
    return [build(random) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_no_block_is_read_wrongly_without_a_warning(seed: int) -> None:
    tally: Counter[tuple[str, str]] = Counter()
    for block in blocks(seed, 2_500):
        reading = read(block)
        is_right, warned = shape(reading) in block.truths(), warns(block, reading)
        assert is_right or warned or block.misleads, ("\n".join(block.texts), block.groups, shape(reading))
        if block.complete and block.counted == "right":
            tally[block.kind, "right" if is_right and not warned else "doubtful" if is_right else "wrong"] += 1
    for kind in ("typed, plain", "typed, odd", "untyped, plain", "untyped, odd", "bare, plain"):
        right, doubtful, wrong = (tally[kind, verdict] for verdict in ("right", "doubtful", "wrong"))
        assert right >= 0.8 * (right + doubtful + wrong), (kind, right, doubtful, wrong)
        assert wrong <= 0.08 * (right + doubtful + wrong), (kind, right, doubtful, wrong)


def test_counting_the_types_gives_what_the_search_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    some = blocks(7, 4_000)
    quick = [read(block) for block in some]
    monkeypatch.setattr(arms, "_assign_by_types", lambda *_: "")
    searched = [read(block) for block in some]
    assert [hide_reason(reading) for reading in quick] == [hide_reason(reading) for reading in searched]
    assert sum(one.decided != other.decided for one, other in zip(quick, searched, strict=True)) > 400


def hide_reason(reading: arms.ParsedArms) -> arms.ParsedArms:
    """Leave out which of the two reasons makes a reading certain."""
    return reading._replace(decided="count" if reading.decided == "lines" else reading.decided)


def test_a_reading_without_a_warning_is_the_only_one() -> None:
    singled_out = Counter[str]()
    for block in blocks(99, 3_000):
        reading = read(block)
        if not block.complete or block.groups is None or warns(block, reading):
            continue
        counts = possible_counts(block.texts, observational=block.observational)
        assert counts[block.groups] == 1, (block.texts, block.groups)
        assert (reading.decided == "lines") <= (len(counts) == 1), (block.texts, block.groups)
        singled_out[reading.decided] += 1
    assert min(singled_out["lines"], singled_out["count"]) > 100


def test_every_line_of_a_block_is_in_an_arm_or_left() -> None:
    for block in blocks(7, 2_000):
        reading = read(block)
        held = [text for arm in shape(reading) for text in texts_of(arm)]
        left = [block.texts[index] for index in reading.left] + block.texts[reading.used :]
        labels = Counter(block.texts) - Counter(held) - Counter(left)
        assert Counter(held) + Counter(left) + labels == Counter(block.texts)
        assert set(labels) <= {"Description:", "Treatment:"}
        assert labels["Description:"] <= sum(arm.description is not None for arm in reading.arms) + (not block.complete)
        assert labels["Treatment:"] <= sum(bool(arm.interventions) for arm in reading.arms) + (not block.complete)


def texts_of(arm: Shape) -> list[str]:
    name, kind, prose, items = arm
    return [name, *([f"{kind} group"] if kind else []), *(prose.split("\n") if prose is not None else []), *items]
