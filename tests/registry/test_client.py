import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support.network import SITE, STUDY, quick
from trialscrape.fetching.fetcher import Fetcher
from trialscrape.fetching.responses import Result
from trialscrape.page import Match, Page
from trialscrape.registry.client import MAX_ADDRESS, LookAhead, look_up
from trialscrape.registry.mapping import FIELDS, RegistryAnswer
from trialscrape.store.store import Store
from trialscrape.testing.replica import Fault, Replica, Site

RECORD = "/api/v2/studies/NCT99000001"


BARE = replace(STUDY, brief_summary="", enrollment=None, conditions=(), interventions=())


@pytest.fixture
def replica() -> Iterator[Replica]:
    with Replica(SITE) as running:
        yield running


def ask(replica: Replica, nct_id: str = STUDY.nct_id) -> RegistryAnswer:
    settings = quick(replica.url)
    with Fetcher(settings) as fetcher:
        return look_up(fetcher, settings, nct_id)


WANTED = (
    "NCTId,BriefTitle,OfficialTitle,Acronym,LeadSponsorName,BriefSummary,EnrollmentCount,EnrollmentType,Condition,"
    "InterventionType,InterventionName"
)


def test_a_study_is_found_with_its_titles_and_what_a_page_shows(replica: Replica) -> None:
    answer = ask(replica)
    assert answer == RegistryAnswer(
        status="found",
        requested_id="NCT99000001",
        url=f"{replica.url}{RECORD}?fields={WANTED}",
        result=Result.OK,
        attempts=1,
        nct_id="NCT99000001",
        brief_title="An Invented Study",
        official_title="A Randomized Invented Study",
        acronym="AIS",
        sponsor="Example University",
        brief_summary="Nothing is done.\n\n* at all",
        enrollment=(12, "ESTIMATED"),
        conditions=("Nothing", "Something, Rare"),
        interventions=(("DRUG", "Void: 5 mg"), ("OTHER", "Air")),
    )


def test_what_a_record_lacks_is_none(replica: Replica) -> None:
    replica.site = Site(studies=(BARE,))
    answer = ask(replica)
    assert (answer.status, answer.brief_summary, answer.enrollment) == ("found", None, None)
    assert (answer.conditions, answer.interventions) == ((), ())


def test_only_the_fields_needed_are_requested(replica: Replica) -> None:
    ask(replica)
    assert replica.requests[-1].path == f"{RECORD}?fields={','.join(FIELDS)}"


def test_an_old_id_gives_the_current_one_and_says_so(replica: Replica) -> None:
    answer = ask(replica, "NCT99000009")
    assert (answer.status, answer.requested_id, answer.nct_id) == ("found", "NCT99000009", "NCT99000001")
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
        f"cannot look up NCT99000001 at the registry: {answer.url} answered HTTP 404 Not Found; check the address"
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
def test_what_could_not_be_looked_up_is_an_error_and_never_not_found(
    replica: Replica, result: str, fault: Fault
) -> None:
    replica.faults[RECORD] = fault
    answer = ask(replica)
    assert (answer.status, answer.result, answer.nct_id) == ("error", result, None)
    assert answer.message.startswith("cannot look up NCT99000001 at the registry: ")


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
    "enrollment in words": (
        json.dumps(
            {"protocolSection": record()["protocolSection"] | {"designModule": {"enrollmentInfo": {"count": "x"}}}}
        ),
        "protocolSection.designModule.enrollmentInfo.count: Input should be a valid integer",
    ),
    "no sponsor": (
        json.dumps({"protocolSection": record()["protocolSection"] | {"sponsorCollaboratorsModule": {}}}),
        "protocolSection.sponsorCollaboratorsModule.leadSponsor: Field required",
    ),
}


@pytest.mark.parametrize(("body", "problem"), SHAPES.values(), ids=SHAPES)
def test_a_changed_shape_is_a_clear_error(replica: Replica, body: str, problem: str) -> None:
    replica.faults[RECORD] = Fault(body=body, content_type="application/json")
    answer = ask(replica)
    assert (answer.status, answer.result, answer.nct_id) == ("error", "ok", None)
    start = f"expected the registry's JSON for NCT99000001 at {answer.url}, found at {problem}"
    assert answer.message.startswith(start)
    assert answer.message.endswith(
        "; the registry may have changed its answers: look for a newer version of trialscrape"
    )


def test_the_registrys_robots_is_obeyed(replica: Replica) -> None:
    replica.faults["/robots.txt"] = Fault(body="User-agent: *\nDisallow: /api/")
    answer = ask(replica)
    assert (answer.status, answer.result) == ("error", "blocked_by_robots")
    assert [request.path for request in replica.requests] == ["/robots.txt"]


# In lists

LIST = "/api/v2/studies"
STUDIES = tuple(
    replace(STUDY, nct_id=f"NCT9900{number}", brief_title=f"Study {number}", aliases=(f"NCT9909{number}",))
    for number in range(1000, 1030)
)
IDS = [study.nct_id for study in STUDIES]
KEY = "run"


@pytest.fixture
def many() -> Iterator[Replica]:
    with Replica(Site(studies=STUDIES)) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "trialscrape.db") as store:
        store.runs.begin(KEY, datetime.now(UTC))
        yield store


@contextmanager
def look_ahead_for(replica: Replica, store: Store, ids: list[str], **changes: Any) -> Iterator[LookAhead]:
    settings = quick(replica.url, **{"read_timeout": 10.0, "total_timeout": 20.0} | changes)
    with Fetcher(settings) as fetcher:
        yield LookAhead(fetcher, settings, store, KEY, ids)


def answers(replica: Replica, store: Store, ids: list[str], **changes: Any) -> list[RegistryAnswer]:
    """Look ids up in their order, one after the other."""
    with look_ahead_for(replica, store, ids, **changes) as look_ahead:
        return [look_ahead.look_up(nct_id) for nct_id in ids]


def requested(replica: Replica) -> list[str]:
    """Return the requested paths, `ids` of a list instead of its query."""
    paths = (request.path for request in replica.requests if request.path != "/robots.txt")
    return [path.partition("filter.ids=")[2].partition("&")[0] or path.partition("?")[0] for path in paths]


def test_ids_are_requested_in_one_list(many: Replica, store: Store) -> None:
    results = answers(many, store, IDS)
    assert [answer.nct_id for answer in results] == IDS
    assert [answer.brief_title for answer in results] == [study.brief_title for study in STUDIES]
    assert requested(many) == [",".join(IDS)]
    # The list counts for its first id, so that the sum is right.
    assert [answer.attempts for answer in results] == [1] + [0] * 29


def test_a_list_gives_what_the_id_alone_gives(many: Replica, store: Store) -> None:
    alone = [ask(many, nct_id) for nct_id in IDS[:2]]
    listed = answers(many, store, IDS[:2])
    assert [replace(answer, url="", attempts=1) for answer in listed] == [replace(answer, url="") for answer in alone]


def test_a_list_has_as_many_ids_as_the_setting_says(many: Replica, store: Store) -> None:
    assert [answer.attempts for answer in answers(many, store, IDS[:7], registry_batch=3)] == [1, 0, 0, 1, 0, 0, 1]
    assert requested(many) == [",".join(IDS[:3]), ",".join(IDS[3:6]), f"{LIST}/{IDS[6]}"]


def test_an_address_is_never_too_long_for_a_server(many: Replica, store: Store) -> None:
    ids = [f"NCT99{number:06}" for number in range(1000, 2500)]
    with look_ahead_for(many, store, ids) as look_ahead:
        look_ahead.look_up(ids[0])
    (listed,) = (request.path for request in many.requests if "filter.ids" in request.path)
    assert MAX_ADDRESS - len(",NCT00000000,") < len(many.url + listed) <= MAX_ADDRESS
    assert listed.count("NCT99") > 600


def test_what_a_list_lacks_is_requested_alone(many: Replica, store: Store) -> None:
    old, unknown = STUDIES[4].aliases[0], "NCT99009999"
    results = answers(many, store, [unknown, IDS[0], old, IDS[1]])
    assert [answer.status for answer in results] == ["not_found", "found", "found", "found"]
    assert (results[2].nct_id, results[2].requested_id) == (IDS[4], old)
    assert requested(many) == [f"{unknown},{IDS[0]},{old},{IDS[1]}", f"{LIST}/{unknown}", f"{LIST}/{old}"]
    assert [answer.attempts for answer in results] == [2, 0, 1, 0]


def test_a_record_of_another_shape_costs_the_others_nothing(many: Replica, store: Store) -> None:
    good = record(nctId=IDS[0])
    many.faults[LIST] = Fault(body=json.dumps({"studies": [record(nctId=IDS[1], briefTitle=5), good, 7]}))
    many.faults[f"{LIST}/{IDS[1]}"] = Fault(body=json.dumps(record(nctId=IDS[1], briefTitle=5)))
    first, second = answers(many, store, IDS[:2])
    assert (first.status, second.status) == ("found", "error")
    assert "briefTitle" in second.message


NO_LISTS = {
    "refused": Fault(status=400),
    "too long": Fault(status=414),
    "no longer there": Fault(status=404),
    "another shape": Fault(body="[]"),
    "no JSON": Fault(body="<p>Maintenance"),
    "always busy": Fault(status=503),
    "never ends": Fault(delay=60),
    "huge": Fault(size=100_000_000),
}


@pytest.mark.parametrize("fault", NO_LISTS.values(), ids=NO_LISTS)
def test_where_there_are_no_lists_each_id_is_requested_alone(many: Replica, store: Store, fault: Fault) -> None:
    many.faults[LIST] = fault
    results = answers(many, store, IDS[:3], retries=1, read_timeout=0.5, total_timeout=1.0)
    assert [answer.nct_id for answer in results] == IDS[:3]
    assert requested(many)[-3:] == [f"{LIST}/{nct_id}" for nct_id in IDS[:3]]
    assert sum(answer.attempts for answer in results) == len(requested(many))


def test_answers_are_kept_for_the_run(many: Replica, store: Store) -> None:
    ids = [STUDIES[4].aliases[0], *IDS[:3]]
    first = answers(many, store, ids)
    many.requests.clear()
    assert [replace(answer, url="") for answer in answers(many, store, ids)] == [replace(a, url="") for a in first]
    assert requested(many) == []
    # A finished id needs its answer no longer.
    store.runs.drop_answer(KEY, IDS[0])
    assert answers(many, store, ids)[1].nct_id == IDS[0]
    assert requested(many) == [f"{LIST}/{IDS[0]}"]
    store.runs.end(KEY)
    store.runs.begin(KEY, datetime.now(UTC))
    many.requests.clear()
    answers(many, store, ids)
    assert requested(many) == [",".join(ids), f"{LIST}/{ids[0]}"]


def test_an_id_whose_page_is_known_is_in_no_list(many: Replica, store: Store) -> None:
    url = "https://ctv.example/study/known"
    version_id, _ = store.pages.add(url, Page(b"", fetched_at=datetime.now(UTC)))
    store.pages.set_match(IDS[1], version_id, Match("nct_id", IDS[1]))
    with look_ahead_for(many, store, IDS[:4]) as look_ahead:
        assert look_ahead.look_up(IDS[0]).status == "found"
        assert requested(many) == [",".join((IDS[0], *IDS[2:4]))]
        # Its page may be gone, so it is requested alone when that turns out.
        assert look_ahead.look_up(IDS[1]).nct_id == IDS[1]
    assert requested(many)[1:] == [f"{LIST}/{IDS[1]}"]


def test_whoever_comes_first_the_lists_are_the_same(many: Replica, store: Store) -> None:
    with look_ahead_for(many, store, IDS[:6], registry_batch=2) as look_ahead:
        results = [look_ahead.look_up(nct_id) for nct_id in (IDS[3], IDS[5], *IDS[:3], IDS[4])]
    assert requested(many) == [",".join(IDS[:2]), ",".join(IDS[2:4]), ",".join(IDS[4:6])]
    assert {answer.requested_id for answer in results if answer.attempts} == {IDS[0], IDS[2], IDS[4]}
