"""Free-text criteria: this package beside others on the same invented texts, and how fast it is.

    python -m bench.criteria

The others are ctm-toolkit's reading of the registry's criteria and TrialMatchAI's splitter, where they are installed
(`make bench` does that). Neither gives headings or markers, so only the criteria themselves are compared.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.metadata import version
from random import Random
from typing import Any, NamedTuple

import trialscrape
from bench.criteria_texts import WORDS, Line, Text, build
from trialscrape.records import Criterion

TEXTS = 1_500
WORD = re.compile(r"[^\W_]+")
Reading = list[tuple[str, str]]
Read = Callable[[str], Reading]


class Score(NamedTuple):
    """What a reader makes of all texts."""

    exact: float  # share of the texts of which each criterion is on its side, whole, and nothing else
    lost: float  # share of the words of criteria that are nowhere
    wrong: float  # share of the words that are on a side which does not have them
    rate: float  # texts a second of processor time


def read_here(text: str) -> Reading:
    """Read a text with this package; give side and text of each criterion and heading."""
    eligibility = trialscrape.parse_criteria(text)
    return [
        (side, criterion.text)
        for side in ("inclusion", "exclusion", "unassigned")
        for criterion in _walk(getattr(eligibility, side))
    ]


def _walk(criteria: Iterable[Criterion]) -> Iterator[Criterion]:
    for criterion in criteria:
        yield criterion
        yield from _walk(criterion.children)


def load_trialmatchai() -> Read:
    """Load TrialMatchAI's splitter."""
    split = import_module("trialmatchai.registry.criteria_chunking").split_eligibility_criteria
    sides = {"unknown": "unassigned"}
    return lambda text: [(sides.get(row["type"], row["type"]), row["criterion"]) for row in split(text)]


def load_ctm_toolkit() -> Read:
    """Load ctm-toolkit's reading of the registry's criteria."""
    parse = vars(import_module("ctm.transformers.raw_ctgov_to_ctml"))["_parse_eligibility"]

    def walk(side: str, criteria: Iterable[Any]) -> Iterator[tuple[str, str]]:
        for criterion in criteria:
            yield side, criterion.text
            yield from walk(side, criterion.sub_criteria)

    def read(text: str) -> Reading:
        parsed = parse(text)
        return [*walk("inclusion", parsed.inclusion), *walk("exclusion", parsed.exclusion)]

    return read


PEERS = {"ctm-toolkit": load_ctm_toolkit, "trialmatchai": load_trialmatchai}


def find_peers() -> dict[str, Read | None]:
    """Load the other readers; None for one that is not installed."""
    readers: dict[str, Read | None] = {}
    for name, load in PEERS.items():
        try:
            readers[f"{name} {version(name)}"] = load()
        except ImportError:
            readers[name] = None
    return readers


def score(read: Read, texts: list[Text]) -> Score:
    """Let a reader read all texts, and compare with what they say."""
    began = time.thread_time()
    readings = [read(text.text) for text in texts]
    seconds = time.thread_time() - began
    exact = lost = wrong = words = 0
    for text, reading in zip(texts, readings, strict=True):
        criteria = [line for line in text.lines if not line.is_heading]
        here, found = _count(_words(line) for line in criteria), _count(map(WORD.findall, _texts(reading)))
        words += here.total()
        lost += (here - found).total()
        for side in ("inclusion", "exclusion"):
            of_side = _count(
                [*_words(line), *WORD.findall(line.marker or "")] for line in text.lines if line.side == side
            )
            wrong += (_count(WORD.findall(got) for at, got in reading if at == side) - of_side).total()
        exact += _is_exact(text, reading)
    return Score(exact / len(texts), lost / words, wrong / words, len(texts) / seconds)


def _is_exact(text: Text, reading: Reading) -> bool:
    found = Counter((side, tuple(WORD.findall(got))) for side, got in reading)
    criteria = Counter((line.side, tuple(_words(line))) for line in text.lines if not line.is_heading)
    headings = Counter((line.side, tuple(_words(line))) for line in text.lines if line.is_heading)
    return not criteria - found and not found - criteria - headings


def _words(line: Line) -> list[str]:
    return WORD.findall(line.words)


def _texts(reading: Reading) -> Iterator[str]:
    return (text for _, text in reading)


def _count(parts: Iterable[list[str]]) -> Counter[str]:
    return Counter(word for part in parts for word in part)


def typical_text(marker: str = "* ") -> str:
    """A text as most studies have it: 15 criteria in 1.5 kB; `{}` in the marker is the number."""
    random = Random(5)
    words = WORDS.split()
    rows = [" ".join(random.choices(words, k=random.randint(6, 24))).capitalize() for _ in range(15)]
    sides = {"Inclusion Criteria:": rows[:7], "Exclusion Criteria:": rows[7:]}
    items = {
        heading: "\n".join(f"{marker.format(number)}{row}" for number, row in enumerate(side, 1))
        for heading, side in sides.items()
    }
    return "\n\n".join(f"{heading}\n\n{side}" for heading, side in items.items())


def compare(texts: int = TEXTS) -> Iterator[str]:
    """Give a table of this package and the others on the same texts, line by line."""
    built = [build(seed) for seed in range(texts)]
    yield f"| reader of {texts:,} texts | exactly right | words lost | words on a wrong side | texts a second |"
    yield "|---|---|---|---|---|"
    for name, read in {"trialscrape": read_here, **find_peers()}.items():
        if read is None:
            yield f"| {name} | not installed | | | |"
            continue
        result = score(read, built)
        shares = " | ".join(f"{100 * share:.2f} %" for share in (result.exact, result.lost, result.wrong))
        yield f"| {name} | {shares} | {result.rate:,.0f} |"


if __name__ == "__main__":
    for row in compare():
        print(row, flush=True)
