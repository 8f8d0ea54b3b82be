import gzip
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from support.network import PAGE, PATH, SITE, STUDY
from trialscrape.testing.replica import Fault, Replica, Site, Study, read_site, serve_folder

STUDIES = """
[[study]]
nct_id = "NCT99000001"
slug = "first"
page = "first.html"
brief_title = "First"
aliases = ["NCT99000009", "NCT99000008"]
modified = 2026-02-03

[[study]]
nct_id = "NCT99000002"
slug = "second"
page = "second.txt"
registry = false

[[study]]
nct_id = "NCT99000003"
slug = "third"
official_title = "Third & <last>"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "studies.toml").write_text(STUDIES)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/first.html").write_bytes(PAGE)
    (tmp_path / "pages/second.txt").write_text("Second")
    return tmp_path


def test_a_folder_is_served(folder: Path) -> None:
    with Replica(folder) as replica, httpx.Client(base_url=replica.url) as client:
        first, second = client.get("/study/first"), client.get("/study/second")
        statuses = [client.get(path).status_code for path in ("/study/third", "/study/NCT99000001", "/study/", "/x")]
        record = client.get("/api/v2/studies/NCT99000008?fields=NCTId").json()
        missing = client.get("/api/v2/studies/NCT99000002")
    assert (first.content, first.headers["content-type"]) == (PAGE, "text/html; charset=utf-8")
    assert first.headers["last-modified"] == "Tue, 03 Feb 2026 00:00:00 GMT"
    assert (second.text, second.headers["content-type"]) == ("Second", "text/plain; charset=utf-8")
    assert statuses == [404] * 4
    assert record["protocolSection"]["identificationModule"] == {"nctId": "NCT99000001", "briefTitle": "First"}
    assert (missing.status_code, missing.text) == (404, "NCT number NCT99000002 not found")
    assert missing.headers["content-type"] == "text/plain; charset=utf-8"


def test_it_says_that_it_is_a_double() -> None:
    with Replica(SITE) as replica:
        index, page = httpx.get(replica.url), httpx.get(replica.url + PATH)
    assert "trialscrape-replica (test double): not the real site" in index.text
    assert index.headers["server"] == page.headers["server"] == "trialscrape-replica (test double)"


def test_it_listens_on_loopback_only() -> None:
    with Replica(SITE) as replica:
        assert replica.url.startswith("http://127.0.0.1:")
        port = int(replica.url.rpartition(":")[2])
        # Another address of the same machine, where nothing may answer.
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.2", port)) != 0


def test_robots_names_the_sitemap_and_its_shards_hold_all_pages(folder: Path) -> None:
    (folder / "slugs.txt").write_text("\n".join(f"more-{number}" for number in range(10_003)))
    with Replica(folder) as replica, httpx.Client(base_url=replica.url) as client:
        robots = client.get("/robots.txt").text
        index = client.get("/sitemap.xml").text
        shards = [client.get(f"/sitemap-{number}.xml.gz") for number in range(3)]
        texts = [gzip.decompress(shard.content).decode() for shard in shards[:2]]
    assert robots == f"User-agent: *\nDisallow: /study-search\nSitemap: {replica.url}/sitemap.xml\n"
    assert index.count("<loc>") == 2
    assert f"<loc>{replica.url}/sitemap-1.xml.gz</loc>" in index
    assert [text.count("<url>") for text in texts] == [10_000, 5]
    assert f"<loc>{replica.url}/study/first</loc>" in texts[0]
    assert "third" not in texts[0]
    assert shards[2].status_code == 404


def test_a_folder_may_have_its_own_robots(folder: Path) -> None:
    (folder / "robots.txt").write_text("Sitemap: {url}/other.xml")
    with Replica(folder) as replica:
        assert httpx.get(replica.url + "/robots.txt").text == f"Sitemap: {replica.url}/other.xml"


def test_an_unchanged_page_is_304_and_a_changed_one_is_not(folder: Path) -> None:
    with Replica(folder) as replica, httpx.Client(base_url=replica.url) as client:
        first = client.get("/study/first")
        tag, date = first.headers["etag"], first.headers["last-modified"]
        asks = [
            {"If-None-Match": tag},
            {"If-Modified-Since": date},
            {"If-None-Match": '"x"', "If-Modified-Since": date},
        ]
        statuses = [client.get("/study/first", headers=ask).status_code for ask in asks]
        (folder / "pages/first.html").write_text("<p>New")
        changed = client.get("/study/first", headers={"If-None-Match": tag})
    assert statuses == [304, 304, 200]
    assert changed.text == "<p>New"


def test_faults_come_from_the_folder(folder: Path) -> None:
    (folder / "challenge.html").write_text("<p>Just a moment")
    (folder / "faults.toml").write_text(
        '["/study/first"]\nstatus = 503\nretry_after = 7\ntimes = 1\n'
        '["/study/second"]\nbody_file = "challenge.html"\nheaders = {X-Fault = "yes"}\n'
    )
    with Replica(folder) as replica, httpx.Client(base_url=replica.url) as client:
        busy, fine, challenge = (client.get(f"/study/{slug}") for slug in ("first", "first", "second"))
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "7")
    assert fine.content == PAGE
    assert (challenge.status_code, challenge.text, challenge.headers["x-fault"]) == (200, "<p>Just a moment", "yes")


def test_requests_are_kept() -> None:
    before = time.monotonic()
    with Replica(SITE) as replica, httpx.Client(base_url=replica.url) as client:
        client.get(f"{PATH}?a=b", headers={"X-Test": "yes"})
        client.get("/")
    first, second = replica.requests
    assert (first.method, first.path, first.headers["x-test"]) == ("GET", f"{PATH}?a=b", "yes")
    assert before < first.time < second.time < time.monotonic()
    assert first.client == second.client


def test_made_up_bodies_have_the_size_asked_for() -> None:
    faults = {"/size": Fault(size=100_001), "/bomb": Fault(gzip_bomb=1_500_000), "/open": Fault(size=10, length=False)}
    with Replica(SITE, faults) as replica, httpx.Client(base_url=replica.url) as client:
        size, bomb, unstated = (client.get(path) for path in faults)
    assert (size.status_code, len(size.content), size.headers["content-length"]) == (200, 100_001, "100001")
    assert bomb.content == bytes(1_500_000)
    assert (len(unstated.content), "content-length" in unstated.headers) == (10, False)


def test_an_odd_status_is_served() -> None:
    with Replica(SITE, {PATH: Fault(status=599)}) as replica:
        assert httpx.get(replica.url + PATH).status_code == 599


def test_a_mistake_in_the_double_itself_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Site(studies=(Study(nct_id="NCT99000001", slug="gone", page="gone.html"),), pages=tmp_path)
    with Replica(site) as replica, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(replica.url + "/study/gone")
    assert "FileNotFoundError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("studies.toml", "[[study", "studies.toml: expected TOML, found "),
        ("studies.toml", '[[study]]\nnct_id = "NCT99000001"\nslug = "a"\ncolour = 1', r"found \['colour'\]"),
        ("studies.toml", '[[study]]\nnct_id = "NCT99000001"', r"studies.toml: .*'slug'"),
        ("faults.toml", '["/x"]\nstutus = 1', r"faults.toml: expected keys out of \['bad_chunk', .*found \['stutus'\]"),
    ],
)
def test_a_wrong_table_is_reported(folder: Path, name: str, text: str, message: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_site(folder)


def test_a_missing_folder_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve_folder([str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith(f"cannot serve {tmp_path / 'none'}: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_a_signal(folder: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "trialscrape.testing.replica", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.readline().strip()
        served = httpx.get(said.removeprefix("serving ") + "/study/first")
        process.send_signal(number)
        _, errors = process.communicate(timeout=5)
    assert said.startswith("serving http://127.0.0.1:")
    assert served.content == PAGE
    assert (process.returncode, errors) == (0, "")


def test_the_record_has_the_registrys_shape() -> None:
    with Replica(SITE) as replica:
        record = json.loads(httpx.get(f"{replica.url}/api/v2/studies/{STUDY.nct_id}").content)
    assert record == {
        "protocolSection": {
            "identificationModule": {
                "nctId": "NCT99000001",
                "briefTitle": "An Invented Study",
                "officialTitle": "A Randomized Invented Study",
                "acronym": "AIS",
            },
            "sponsorCollaboratorsModule": {"leadSponsor": {"name": "Example University", "class": "OTHER"}},
            "descriptionModule": {"briefSummary": "Nothing is done.\n\n* at all"},
            "conditionsModule": {"conditions": ["Nothing", "Something, Rare"]},
            "designModule": {"enrollmentInfo": {"count": 12, "type": "ESTIMATED"}},
            "armsInterventionsModule": {
                "interventions": [{"type": "DRUG", "name": "Void: 5 mg"}, {"type": "OTHER", "name": "Air"}]
            },
        }
    }


def test_a_list_has_the_records_of_current_ids_only(folder: Path) -> None:
    def listed(*ids: str, more: str = "&pageSize=1000") -> list[str]:
        answer = client.get(f"/api/v2/studies?filter.ids={','.join(ids)}{more}").json()
        return [study["protocolSection"]["identificationModule"]["nctId"] for study in answer["studies"]]

    with Replica(folder) as replica, httpx.Client(base_url=replica.url) as client:
        assert listed("NCT99000003", "NCT99000009", "NCT99000001", "NCT99000002") == ["NCT99000001", "NCT99000003"]
        assert listed("NCT99000009") == listed() == []
        assert listed("NCT99000003", "NCT99000001", more="&pageSize=1") == ["NCT99000001"]
        assert client.get(f"/api/v2/studies?filter.ids={'NCT99000001,' * 700}").status_code == 414


def test_a_list_is_cut_at_ten_where_no_size_is_asked_for() -> None:
    studies = tuple(Study(nct_id=f"NCT990000{number}", slug=f"study-{number}") for number in range(10, 30))
    with Replica(Site(studies=studies)) as replica:
        answer = httpx.get(f"{replica.url}/api/v2/studies?filter.ids={','.join(study.nct_id for study in studies)}")
    assert len(answer.json()["studies"]) == 10
