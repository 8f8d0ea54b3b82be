"""Where `scrape` takes its ids from, where it keeps pages, and what a dry run leaves alone."""

from support.commands import IDS, STUDIES, UNKNOWN, Runner


def test_several_files_are_read_and_each_says_how_many_ids_it_has(run: Runner) -> None:
    (run.folder / "a.csv").write_bytes(f"Rank,NCT Number,Other IDs\n1,{IDS[0]},{UNKNOWN}\n".encode("utf-16"))
    (run.folder / "b.txt").write_text(f"See {IDS[1]}.")
    done = run("scrape", "-i", "a.csv", "-i", "b.txt", "-o", "trials.jsonl")
    assert done.returncode == 0
    assert done.stderr.splitlines()[:2] == ["a.csv: 1 id in column 'NCT Number'", "b.txt: 1 id in its text"]
    assert [line.split('"')[3] for line in run.written()[0].decode().splitlines()] == IDS[:2]


def test_a_column_can_be_named(run: Runner) -> None:
    (run.folder / "a.csv").write_text(f"NCT Number,Mine\n{UNKNOWN},{IDS[0]}\n")
    assert run("scrape", "-i", "a.csv", "--column", "mine").returncode == 0
    done = run("scrape", "-i", "a.csv", "--column", "id")
    assert done.returncode == 2
    assert "expected a column 'id', found 'NCT Number', 'Mine'" in " ".join(done.stderr.replace("│", " ").split())


def test_every_command_uses_the_same_store(run: Runner) -> None:
    (run.folder / "out").mkdir()
    assert run("scrape", IDS[0], "-o", "out/t.jsonl").returncode == 0
    assert [path.name for path in (run.folder / "out").iterdir() if "db" in path.name] == []
    assert run("parse", "trialscrape.db").returncode == 0
    before = len(run.requested())
    assert run("scrape", IDS[0], STORE="other.db").returncode == 0
    assert (run.folder / "other.db").exists()
    assert len(run.requested()) > before
    assert run("index", "status", STORE="other.db").returncode == 0
    assert run("index", "status", "--store", "none.db", STORE="other.db").returncode == 1


def test_a_dry_run_writes_nothing(run: Runner) -> None:
    done = run("scrape", "--dry-run", IDS[0], STUDIES[1].slug, "-o", "t.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    assert run("scrape", "--dry-run", "trees", "NCT123").returncode == 1
    assert run.requested() == []
    assert list(run.folder.iterdir()) == []


def test_a_password_in_an_address_is_shown_nowhere(run: Runner) -> None:
    address = f"http://me:secret@{run.replica.url.partition('://')[2]}/study/{STUDIES[0].slug}"
    done = run("scrape", address, "-o", "trials.jsonl")
    assert done.returncode == 1
    assert "***@" in done.stderr
    assert "secret" not in done.stderr + run.written()[1].decode()
