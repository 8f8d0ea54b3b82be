"""The entry point: `trialscrape` and `python -m trialscrape`."""

import io
import os
import sys

_PIPE_CLOSED = 128 + 13  # as `cli.app` says


def main() -> None:
    """Run the command line and exit with its code."""
    _prepare_streams()
    try:
        try:
            _run_command()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        # Before a command began; a running command reports this itself and says how to resume.
        print("stopped", file=sys.stderr)  # noqa: T201  a message of the command
        sys.exit(130)
    except OSError as error:
        # Python would write the rest of the buffer again, and end with its own message and exit code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            sys.exit(_PIPE_CLOSED)
        reason = (error.strerror or str(error)).lower()
        print(f"cannot write output: {reason}", file=sys.stderr)  # noqa: T201  as above
        sys.exit(1)


def _prepare_streams() -> None:
    """Let stdout take any text, and keep files from getting the number of a stream that the caller closed.

    A closed stdin reads as empty, a closed stdout fails when written to, a closed stderr swallows the messages.
    """
    for number, access in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, access)  # takes the lowest free number, which is this one
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Readable text on a terminal with few characters; records are written as bytes, always in UTF-8.
        sys.stdout.reconfigure(errors="backslashreplace")


def _run_command() -> None:
    if sys.argv[1:] == ["--version"]:
        # Before any import: scripts ask for the version often.
        from trialscrape import __version__  # noqa: PLC0415

        print(f"trialscrape {__version__}")  # noqa: T201  as above
        return
    import signal  # noqa: PLC0415

    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        # Some imports catch a KeyboardInterrupt and raise another error.
        signal.signal(signal.SIGINT, _stop_at_once)
    from trialscrape.cli.app import make_app  # noqa: PLC0415

    app = make_app(sys.argv[1] if len(sys.argv) > 1 else None)
    signal.signal(signal.SIGINT, before)
    app(prog_name="trialscrape")


def _stop_at_once(*_: object) -> None:
    os.write(2, b"stopped\n")
    os._exit(130)


if __name__ == "__main__":
    main()
