"""The command's door: `trialscrape` and `python -m trialscrape`."""

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        # Before anything is imported: a version is asked for often, and by machines.
        from trialscrape import __version__  # noqa: PLC0415

        print(f"trialscrape {__version__}")  # noqa: T201  this is the command's output
        return
    from trialscrape.cli import app  # noqa: PLC0415

    try:
        app(prog_name="trialscrape")
    except OSError as error:
        print(f"expected to write, found: {error}", file=sys.stderr)  # noqa: T201  as above
        sys.exit(1)
    finally:
        _flush()


def _flush() -> None:
    # What Python cannot write at its end it would tell with an exit code of its own.
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"expected to write, found: {error}", file=sys.stderr)  # noqa: T201  as above
        sys.exit(1)


if __name__ == "__main__":
    main()
