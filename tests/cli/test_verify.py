"""`verify` as a process: against files, and against the registry of a replica."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import trialscrape
from support.commands import COMMAND, IDS, UNKNOWN, Runner, rows
from support.page import PAGE, with_
from trialscrape.testing.replica import Fault

ROOT = Path(__file__).parents[2]
PAGE_FILE = ROOT / "fixtures/pages/two-arms-loose-criteria.txt"
REGISTRY = str(ROOT / "fixtures/registry")


def run_verify(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, "verify", *arguments], input=stdin, capture_output=True, text=True, check=False)


def make_record(page: str | None = None) -> str:
    return trialscrape.parse(page or PAGE_FILE.read_bytes()).model_dump_json() + "\n"


def test_a_stale_status_and_a_lost_arm_are_seen(tmp_path: Path) -> None:
    done = run_verify("-", "--against", REGISTRY, "--sponsors", str(tmp_path / "s.csv"), stdin=make_record())
    assert done.stdout.splitlines() == [
        "NCT99000001: - registry, + page",
        "  overall_status differs",
        "    - TERMINATED",
        "    + COMPLETED",
        "  arms of 'Silence' differs",
        "    - Silence",
    ]
    assert (done.returncode, done.stderr) == (1, "1 study: 1 compared, 1 differs, 0 left out\n")
    assert (tmp_path / "s.csv").read_bytes() == (
        b"registry,site,studies\r\nQuillfeather Institute,Quillfeather Institute of Imaginary Medicine,1\r\n"
    )


def test_the_names_of_sponsors_are_harmless_in_a_spreadsheet_and_never_an_error(tmp_path: Path) -> None:
    """Of two studies, one has a formula as its sponsor's name, the other none at the registry."""
    study = json.loads((ROOT / "fixtures/registry/NCT99000001.json").read_text(encoding="utf-8"))
    study["protocolSection"]["sponsorCollaboratorsModule"]["leadSponsor"]["name"] = "=1+1, Inc."
    other = json.loads(json.dumps(study).replace("NCT99000001", "NCT99000100"))
    del other["protocolSection"]["sponsorCollaboratorsModule"]["leadSponsor"]["name"]
    (tmp_path / "studies.json").write_text(json.dumps([study, other]), encoding="utf-8")
    page = PAGE_FILE.read_text(encoding="utf-8").replace("Quillfeather Institute of Imaginary Medicine", '@Quill "QF"')
    records = make_record(page) + make_record(page.replace("NCT99000001", "NCT99000100"))
    arguments = ("--against", str(tmp_path / "studies.json"), "--sponsors", str(tmp_path / "s.csv"), "--json")
    done = run_verify("-", *arguments, stdin=records)
    found = [(row["verdict"], row["registry"]) for row in rows(done.stdout) if row["field"] == "sponsor"]
    assert found == [("other_name", "=1+1, Inc."), ("other_name", None)]
    assert "2 compared" in done.stderr
    assert (tmp_path / "s.csv").read_bytes() == (
        b'registry,site,studies\r\n,"\'@Quill ""QF""",1\r\n"\'=1+1, Inc.","\'@Quill ""QF""",1\r\n'
    )


def test_all_findings_are_written_for_a_program() -> None:
    done = run_verify("-", "--against", REGISTRY, "--json", stdin=make_record())
    findings = rows(done.stdout)
    assert findings[4] == {
        "study": "NCT99000001",
        "field": "overall_status",
        "item": None,
        "verdict": "differs",
        "page": "COMPLETED",
        "registry": "TERMINATED",
    }
    assert [finding["verdict"] for finding in findings].count("equal") == len(findings) - 3


def test_a_page_that_says_less_or_has_another_sponsor_does_not_differ(tmp_path: Path) -> None:
    study = json.loads((ROOT / "fixtures/registry/NCT99000001.json").read_text(encoding="utf-8"))
    study["protocolSection"]["statusModule"]["overallStatus"] = "COMPLETED"
    study["protocolSection"]["armsInterventionsModule"]["armGroups"].pop()
    (tmp_path / "study.json").write_text(json.dumps(study), encoding="utf-8")
    page = PAGE_FILE.read_text(encoding="utf-8").replace(
        "Central trial contact\n\nXimena Fictive, PhD; Tobias Madeup-Other\n", ""
    )
    done = run_verify("-", "--against", str(tmp_path / "study.json"), stdin=make_record(page))
    assert (done.returncode, done.stderr) == (0, "1 study: 1 compared, 0 differ, 0 left out\n")
    assert done.stdout.splitlines() == ["NCT99000001: - registry, + page", "  central_contacts is not on the page"]


def test_a_study_that_cannot_be_compared_is_reported() -> None:
    bare = with_(("NCT99000100\nIAM-7 (Other Identifier)", ""))
    done = run_verify("-", "--against", REGISTRY, stdin=make_record(PAGE) + make_record(bare) * 2)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"-:1: NCT99000100 is not compared: there is no record of it in {REGISTRY}",
        "2 records without an NCT id are not compared",
        "3 studies: 0 compared, 0 differ, 3 left out",
    ]


def test_studies_with_the_same_trouble_are_a_line() -> None:
    records = "".join(make_record(with_(("NCT99000100", f"NCT9900010{number}"))) for number in range(4))
    done = run_verify("-", "--against", REGISTRY, stdin=records)
    assert done.stderr.splitlines() == [
        f"there is no record of it in {REGISTRY} (4 studies: NCT99000100, NCT99000101, NCT99000102, …)",
        "4 studies: 0 compared, 0 differ, 4 left out",
    ]


def test_a_registry_that_does_not_answer_is_given_up(run: Runner) -> None:
    nowhere = {"REGISTRY": "http://127.0.0.1:9", "RETRIES": "0"}
    records = [make_record(with_(("NCT99000100", f"NCT9900010{number}"))) for number in range(5)]
    done = run("verify", "-", "--sponsors", "s.csv", stdin="".join(records), **nowhere)
    assert (done.returncode, done.stdout, done.stderr.splitlines()) == (
        2,
        "",
        [
            "connection refused by 127.0.0.1:9 (3 studies: NCT99000100, NCT99000101, NCT99000102)",
            "3 studies: 0 compared, 0 differ, 3 left out",
            "gave up after 3 look-ups in a row without an answer of the registry; the records behind them were not "
            "looked at. Run the command again later, or give --against",
        ],
    )
    assert not (run.folder / "s.csv").exists()
    assert run("verify", "-", stdin="".join(records[:2]), **nowhere).returncode == 1


def test_a_registry_that_answers_now_and_then_is_not_given_up(run: Runner) -> None:
    for number in (0, 1, 3, 4):
        run.replica.faults[f"/api/v2/studies/{IDS[number]}"] = Fault(cut=-1)
    records = "".join(make_record(with_(("NCT99000100", nct_id))) for nct_id in IDS[:5])
    done = run("verify", "-", stdin=records, RETRIES="0")
    assert done.stderr.splitlines()[-1] == "5 studies: 1 compared, 1 differs, 4 left out"
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([os.devnull, "--against", REGISTRY], f"{os.devnull}: expected records, found none"),
        (["none.jsonl", "--against", REGISTRY], "cannot read none.jsonl: no such file or directory"),
        (["-", "--against", "none.json"], "cannot read none.json: no such file or directory"),
        (["-", "--against", str(PAGE_FILE)], "expected the registry's JSON, found broken JSON"),
        (
            ["-", "--against", REGISTRY, "--registry", "https://registry.example"],
            "give --against or --registry, not both",
        ),
        (["-", "--against", REGISTRY, "--sponsors", "none/s.csv"], "there is no folder none"),
        (["-", "--registry", "registry.example"], "setting registry"),
    ],
)
def test_trouble_is_2(arguments: list[str], message: str) -> None:
    done = run_verify(*arguments, stdin=make_record())
    assert (done.returncode, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_the_registry_is_asked_politely_once_for_each_study(run: Runner) -> None:
    assert run("scrape", *IDS[:2]).returncode == 0
    run.replica.requests.clear()
    done = run("verify", "trialscrape.db", "--json")
    assert done.returncode == 1
    assert [request.path for request in run.replica.requests] == [
        "/robots.txt",
        *(
            f"/api/v2/studies/{nct_id}"
            for nct_id in sorted(IDS[:2], key=[row["study"] for row in rows(done.stdout)].index)
        ),
    ]
    found = {(row["study"], row["field"]): row["verdict"] for row in rows(done.stdout)}
    assert (found[IDS[0], "title"], found[IDS[1], "sponsor"]) == ("equal", "equal")
    run.replica.requests.clear()
    record = make_record(with_(("NCT99000100", UNKNOWN)))
    done = run("verify", "-", stdin=record)
    assert done.stderr.splitlines()[0] == (
        f"-:1: {UNKNOWN} is not compared: the registry has no study {UNKNOWN}; check the id"
    )
    assert (done.returncode, len(run.requested())) == (1, 1)


def test_against_files_nothing_of_the_network_is_imported() -> None:
    program = (
        "import sys\nfrom trialscrape import __main__\n"
        "try:\n    __main__.main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'httpx', 'httpcore', 'ssl', 'trialscrape.scraping'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, "verify", "-", "--against", REGISTRY]
    done = subprocess.run(command, input=make_record(), capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]"
