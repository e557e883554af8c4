"""The command line as a person types it, in this process."""

import contextlib
import io
from typing import NamedTuple
from unittest import mock

from deploy.cli import main


class Done(NamedTuple):
    """How a command ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


def star(*arguments: object) -> Done:
    """Run a command in this process: starting one takes longer than what is tried here."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    typed = mock.patch("sys.argv", ["star", *map(str, arguments)])
    wide = mock.patch.dict("os.environ", {"COLUMNS": "200"})
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), typed, wide:
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())
