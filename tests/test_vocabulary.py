"""The codes are the registry's own, read where its API description lies."""

from pathlib import Path

import pytest
import yaml

from trialscrape.vocabulary import NOT_SEEN, SEEN, VOCABULARIES

REGISTRY = Path(__file__).parents[2] / "shared/registry/ctg-oas-v2.yaml"


@pytest.mark.skipif(not REGISTRY.exists(), reason=f"the registry's API description is not at {REGISTRY}")
def test_every_code_is_in_the_registry() -> None:
    schemas = yaml.load(REGISTRY.read_text(), Loader=yaml.CSafeLoader)["components"]["schemas"]
    newer = {"CTIS"}  # the API description is a draft from before it
    for enumeration, codes in VOCABULARIES.items():
        assert set(codes.values()) - newer <= set(schemas[enumeration]["enum"]), enumeration


SECOND_WORDINGS: set[str] = set()
"""Labels that the site prints beside another one of the same code."""


def test_no_two_labels_share_a_code() -> None:
    for enumeration, codes in VOCABULARIES.items():
        first = [code for label, code in codes.items() if label not in SECOND_WORDINGS]
        twice = {code for code in first if first.count(code) > 1}
        assert not twice, f"{enumeration}: a wrong code, or a second wording, to be listed in SECOND_WORDINGS"


def test_no_label_is_both_seen_and_not_seen() -> None:
    for enumeration, labels in NOT_SEEN.items():
        assert not labels.keys() & SEEN[enumeration].keys()
