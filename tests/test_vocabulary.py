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


def test_no_two_labels_share_a_code() -> None:
    for enumeration, codes in VOCABULARIES.items():
        assert len(set(codes.values())) == len(codes), enumeration


def test_no_label_is_both_seen_and_not_seen() -> None:
    for enumeration, labels in NOT_SEEN.items():
        assert not labels.keys() & SEEN[enumeration].keys()
