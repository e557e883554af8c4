"""Ports that tests pick: nobody picks one that somebody else has picked before and not yet begun to listen on."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICKED = 120
PICKER = f"""
import sys
from pathlib import Path
from tests.servers import ports
ports._LOWEST, ports._EPHEMERAL_RANGE = 26000, Path(sys.argv[1])
print(*ports.free_ports({PICKED // 2}), *ports.free_ports({PICKED // 2}), flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def picked(ephemeral_range: Path) -> Iterator[set[int]]:
    """What a test run of its own picks, for as long as it lasts, from so few that two cannot but meet."""
    command = [sys.executable, "-c", PICKER, str(ephemeral_range)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as picker:
        assert picker.stdin is not None
        assert picker.stdout is not None
        yield {int(port) for port in picker.stdout.readline().split()}
        picker.stdin.close()


def test_two_test_runs_never_pick_the_same_port(tmp_path: Path) -> None:
    ephemeral_range = tmp_path / "range"
    ephemeral_range.write_text("27001 60999\n")
    with picked(ephemeral_range) as one, picked(ephemeral_range) as other:
        assert len(one) == len(other) == PICKED, "nor does one run pick a port twice"
        assert not one & other
