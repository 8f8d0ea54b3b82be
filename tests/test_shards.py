"""A Ray cluster of this machine gives the records that one process gives, and a run resumes what is missing."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.page import PAGE
from trialscrape.shards import SHARD_PAGES, plan_shards, read_shard
from trialscrape.sources.members import Selection

COMMAND = [sys.executable, "-m", "trialscrape", "parse"]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def fill(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        page = PAGE.replace("NCT99000100", f"NCT99{number:06}")
        (folder / f"{number:05}.txt").write_text(page, encoding="utf-8")


def sort_lines(*files: Path) -> list[bytes]:
    return sorted(line for file in files for line in file.read_bytes().splitlines())


def list_shards(folder: Path, ending: str) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{ending}") if ".outcomes" in ending or ".outcomes" not in path.name)


def test_ray_gives_the_records_of_one_process(tmp_path: Path) -> None:
    fill(tmp_path / "pages", SHARD_PAGES + 100)
    (tmp_path / "pages/bad.txt").write_text("no page", encoding="utf-8")
    assert run("pages", "-o", "local.jsonl", "--jobs", "1", cwd=tmp_path).returncode == 1
    done = run("pages", "--engine", "ray", "-o", "out", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    pages = f"{SHARD_PAGES + 101:,} pages: {SHARD_PAGES + 100:,} ok, 1 not_a_study_page"
    assert done.stderr == f"2 shards, 0 failed, 0 skipped files; {pages}; manifest in out/manifest.json\n"
    records = list_shards(tmp_path / "out", ".jsonl")
    assert sort_lines(*records) == sort_lines(tmp_path / "local.jsonl")
    outcomes = list_shards(tmp_path / "out", ".outcomes.jsonl")
    assert sort_lines(*outcomes) == sort_lines(tmp_path / "local.outcomes.jsonl")
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["outcomes"] == {"not_a_study_page": 1, "ok": SHARD_PAGES + 100}
    for shard, file in zip(manifest["shards"], records, strict=True):
        assert file.name == f"{shard['shard']}.jsonl"
        assert shard["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert shard["bytes"] == file.stat().st_size

    # A run that was stopped writes what is missing, and nothing else.
    first, second = records
    kept = first.stat().st_mtime_ns
    whole = second.read_bytes()
    second.unlink()
    assert run("pages", "--engine", "ray", "-o", "out", cwd=tmp_path).stderr == done.stderr
    assert (second.read_bytes(), first.stat().st_mtime_ns) == (whole, kept)

    # A shard whose output cannot be written is told; the others are there.
    second.unlink()
    second.mkdir()
    failed = run("pages", "--engine", "ray", "-o", "out", cwd=tmp_path)
    assert failed.returncode == 1
    assert f"pages/{SHARD_PAGES:05}.txt and what follows it (101 files): " in failed.stderr
    assert "1 shard, 1 failed" in failed.stderr


def test_a_shard_is_of_its_files_and_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "pages", 3)
    files = [f"pages/{number:05}.txt" for number in range(3)]
    names = {
        shard.name
        for given in (files, files[:2])
        for strict in (False, True)
        for shard in plan_shards(given, tmp_path, "jsonl", selection=Selection(), strict=strict, spans=False)
    }
    assert len(names) == 4
    (shard,) = plan_shards(files, tmp_path, "jsonl", selection=Selection(), strict=False, spans=False)
    assert read_shard(shard) == read_shard(shard)
    assert read_shard(shard).outcomes == {"ok": 3}
    assert len(shard.records.read_bytes().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "ray"], "--engine ray writes into a folder: expected -o with one, found none"),
        (["--engine", "ray", "-o", "page.txt"], "expected -o with one, found page.txt"),
        (["--engine", "ray", "-o", "a/b"], "cannot make a/b: there is no folder a"),
        (["--ray-address", "auto"], "--ray-address needs --engine ray"),
    ],
)
def test_wrong_usage_is_reported(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text(PAGE, encoding="utf-8")
    done = run("page.txt", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_no_cluster_at_the_address_is_reported(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text(PAGE, encoding="utf-8")
    done = run("page.txt", "--engine", "ray", "-o", "out", "--ray-address", "127.0.0.1:1", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "127.0.0.1:1" in done.stderr
