"""`parse --engine ray`: saved pages to a folder of shards."""

from pathlib import Path

import typer

from trialscrape.cli.console import echo_error, echo_note, report_errors, track, usage_error
from trialscrape.cli.options import require_format
from trialscrape.exports.files import make_folder
from trialscrape.shards import ShardSummary, map_on_ray, plan_shards, read_shard, write_manifest
from trialscrape.sources.files import Files
from trialscrape.sources.members import Selection
from trialscrape.wording import write_count


def parse_on_ray(  # noqa: PLR0913  each is one of the command's options
    files: Files,
    output: Path | None,
    format_name: str,
    selection: Selection,
    *,
    strict: bool,
    spans: bool,
    address: str | None,
    quiet: bool,
) -> None:
    """Read the pages of some files on Ray, write their shards, and report what came out."""
    folder = _require_folder(output)
    format_name = require_format(folder / "shard", format_name)
    summaries: list[ShardSummary] = []
    failed = 0
    with (
        report_errors(f"the same command writes the shards that are missing in {folder}"),
        track(files, "pages", quiet=quiet) as tracked,
    ):
        make_folder(folder)
        shards = plan_shards(tracked, folder.resolve(), format_name, selection=selection, strict=strict, spans=spans)
        for summary in map_on_ray(read_shard, shards, address=address):
            if isinstance(summary, ShardSummary):
                summaries.append(summary)
                continue
            shard, message = summary
            failed += 1
            echo_error(f"{shard.files[0]} and what follows it ({write_count(len(shard.files), 'file')}): {message}")
        tally = write_manifest(folder, summaries)
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in tally.most_common())
    counts = f"{write_count(len(summaries), 'shard')}, {failed:,} failed, {write_count(files.skipped, 'skipped file')}"
    pages = write_count(tally.total(), "page")
    echo_note(f"{counts}; {pages}: {outcomes or 'none'}; manifest in {folder / 'manifest.json'}", quiet=quiet)
    if failed or tally.total() > tally["ok"]:
        raise typer.Exit(1)


def _require_folder(path: Path | None) -> Path:
    if path is None or (path.exists() and not path.is_dir()):
        usage_error(f"--engine ray writes into a folder: expected -o with one, found {path or 'none'}")
    if not path.parent.is_dir():
        usage_error(f"cannot make {path}: there is no folder {path.parent}")
    return path
