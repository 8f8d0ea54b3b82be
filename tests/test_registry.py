import json
from collections.abc import Iterator
from typing import Any

import pytest

from conftest_network import SITE, STUDY, quick
from trialscrape.fetch import Fetcher
from trialscrape.registry import FIELDS, RegistryAnswer, lookup
from trialscrape.replica import Fault, Replica

RECORD = "/api/v2/studies/NCT99000001"


@pytest.fixture
def replica() -> Iterator[Replica]:
    with Replica(SITE) as running:
        yield running


def ask(replica: Replica, nct_id: str = STUDY.nct_id) -> RegistryAnswer:
    settings = quick(replica.url)
    with Fetcher(settings) as fetcher:
        return lookup(fetcher, settings, nct_id)


def test_a_study_is_found_with_its_titles_and_sponsor(replica: Replica) -> None:
    answer = ask(replica)
    assert answer == RegistryAnswer(
        status="found",
        asked="NCT99000001",
        url=f"{replica.url}{RECORD}?fields=NCTId,BriefTitle,OfficialTitle,Acronym,LeadSponsorName",
        result="ok",
        attempts=1,
        nct_id="NCT99000001",
        brief_title="An Invented Study",
        official_title="A Randomized Invented Study",
        acronym="AIS",
        sponsor="Example University",
    )


def test_only_the_fields_needed_are_asked_for(replica: Replica) -> None:
    ask(replica)
    assert replica.requests[-1].path == f"{RECORD}?fields={','.join(FIELDS)}"


def test_an_old_id_gives_the_current_one_and_tells(replica: Replica) -> None:
    answer = ask(replica, "NCT99000009")
    assert (answer.status, answer.asked, answer.nct_id) == ("found", "NCT99000009", "NCT99000001")
    assert answer.message == "NCT99000009 is an old id; the registry's current one is NCT99000001"


def test_an_old_id_may_be_redirected(replica: Replica) -> None:
    replica.faults["/api/v2/studies/NCT99000008"] = Fault(redirect=RECORD, status=301)
    answer = ask(replica, "NCT99000008")
    assert (answer.status, answer.nct_id, answer.attempts) == ("found", "NCT99000001", 2)


def test_an_id_that_the_registry_does_not_know_is_not_found(replica: Replica) -> None:
    answer = ask(replica, "NCT99999999")
    assert (answer.status, answer.nct_id, answer.attempts) == ("not_found", None, 1)
    assert answer.message == "the registry has no study NCT99999999; check the id"


def test_a_web_page_that_says_404_is_not_the_registrys_word(replica: Replica) -> None:
    replica.faults[RECORD] = Fault(status=404, body="<h1>404</h1>", content_type="Text/HTML")
    answer = ask(replica)
    assert (answer.status, answer.result) == ("error", "http_status")
    assert answer.message == (
        f"the registry could not be asked for NCT99000001: expected a page at {answer.url}, found HTTP 404 Not Found; "
        "check the address"
    )


def test_a_server_error_is_retried(replica: Replica) -> None:
    replica.faults[RECORD] = Fault(status=500, times=2)
    answer = ask(replica)
    assert (answer.status, answer.attempts) == ("found", 3)


FAULTS = {
    "server_error": Fault(status=500),
    "rate_limited": Fault(status=429),
    "timeout": Fault(delay=60),
    "network_error": Fault(cut=-1),
    "too_large": Fault(size=100_000_000),
    "http_status": Fault(status=403),
    "blocked_by_robots": Fault(redirect="/study-search"),
}


@pytest.mark.parametrize(("result", "fault"), FAULTS.items(), ids=FAULTS)
def test_what_could_not_be_asked_is_an_error_and_never_not_found(replica: Replica, result: str, fault: Fault) -> None:
    replica.faults[RECORD] = fault
    answer = ask(replica)
    assert (answer.status, answer.result, answer.nct_id) == ("error", result, None)
    assert answer.message.startswith("the registry could not be asked for NCT99000001: expected ")


def record(**changes: Any) -> dict[str, Any]:
    """Return a record with some values of its identification changed."""
    names = {"nctId": "NCT99000001", "briefTitle": "An Invented Study"} | changes
    sponsors = {"leadSponsor": {"name": "Example University", "class": "OTHER"}}
    return {"protocolSection": {"identificationModule": names, "sponsorCollaboratorsModule": sponsors}}


def test_what_the_registry_adds_or_leaves_out_is_fine(replica: Replica) -> None:
    replica.faults[RECORD] = Fault(body=json.dumps(record(organization={"fullName": "x"}) | {"hasResults": False}))
    answer = ask(replica)
    assert (answer.status, answer.official_title, answer.acronym, answer.message) == ("found", None, None, "")


NAMES = "protocolSection.identificationModule"
SHAPES = {
    "page": ("<!doctype html><p>Hello", "the whole answer: Invalid JSON"),
    "nothing": ("", "the whole answer: Invalid JSON"),
    "half": ('{"protocolSection": {', "the whole answer: Invalid JSON"),
    "list": ("[]", "the whole answer: Input should be an object"),
    "null": ("null", "the whole answer: Input should be an object"),
    "empty": ("{}", "protocolSection: Field required"),
    "search": ('{"studies": []}', "protocolSection: Field required"),
    "no names": ('{"protocolSection": {"sponsorCollaboratorsModule": {}}}', f"{NAMES}: Field required"),
    "no title": (json.dumps(record(briefTitle=None)), f"{NAMES}.briefTitle: Input should be a valid string"),
    "empty title": (json.dumps(record(briefTitle="")), f"{NAMES}.briefTitle: String should have at least 1 char"),
    "other id": (json.dumps(record(nctId="EU-99")), f"{NAMES}.nctId: String should match pattern"),
    "number": (json.dumps(record(officialTitle=5)), f"{NAMES}.officialTitle: Input should be a valid string"),
    "no sponsor": (
        json.dumps({"protocolSection": record()["protocolSection"] | {"sponsorCollaboratorsModule": {}}}),
        "protocolSection.sponsorCollaboratorsModule.leadSponsor: Field required",
    ),
}


@pytest.mark.parametrize(("body", "found"), SHAPES.values(), ids=SHAPES)
def test_a_changed_shape_is_a_clear_error(replica: Replica, body: str, found: str) -> None:
    replica.faults[RECORD] = Fault(body=body, content_type="application/json")
    answer = ask(replica)
    assert (answer.status, answer.result, answer.nct_id) == ("error", "ok", None)
    start = f"expected the registry's JSON for NCT99000001 at {answer.url}, found at {found}"
    assert answer.message.startswith(start)
    assert answer.message.endswith(
        "; the registry may have changed its answers: look for a newer version of trialscrape"
    )


def test_the_registrys_robots_is_obeyed(replica: Replica) -> None:
    replica.faults["/robots.txt"] = Fault(body="User-agent: *\nDisallow: /api/")
    answer = ask(replica)
    assert (answer.status, answer.result) == ("error", "blocked_by_robots")
    assert [asked.path for asked in replica.requests] == ["/robots.txt"]
