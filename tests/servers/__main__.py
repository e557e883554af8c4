"""`python -m tests.servers install | up`: installs the test servers, or starts them all until Ctrl-C."""

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.servers import Minio, Mongo, RabbitMQ, Server, ServerError, VersityGw
from tests.servers.install import say
from tests.servers.mongodb import MONGO_URL
from tests.servers.rabbitmq import AMQP_URL, MANAGEMENT_URL
from tests.servers.s3 import S3_ACCESS_KEY, S3_SECRET_KEY, S3_URL


def _servers(folder: Path) -> tuple[RabbitMQ, Mongo, Minio, VersityGw]:
    return (
        RabbitMQ(folder / "rabbitmq"),
        Mongo(folder / "mongo"),
        Minio(folder / "minio"),
        VersityGw(folder / "versitygw"),
    )


def install() -> None:
    """Install every server that no STAR_TEST_* variable replaces."""
    with tempfile.TemporaryDirectory() as unused:
        for server in _servers(Path(unused)):
            if server.external:
                say(f"{server.name}: an existing deployment is named, nothing to install")
                continue
            server.install()
            say(f"{server.name}: installed")


def _start(server: Server) -> None:
    started = time.monotonic()
    server.start()
    say(f"{server.name}: answers after {time.monotonic() - started:.1f} s")


def up(folder: Path) -> None:
    """Start all servers on the folder, print their addresses for a shell, and stop them at Ctrl-C or TERM."""
    install()
    servers = _servers(folder)
    rabbit, mongo, minio, versity = servers
    with contextlib.ExitStack() as stack:
        for server in servers:
            stack.callback(server.stop)
        with ThreadPoolExecutor() as pool:
            list(pool.map(_start, servers))
        lines = {
            AMQP_URL: rabbit.url,
            MONGO_URL: mongo.url,
            S3_URL: minio.endpoint.url,
            S3_ACCESS_KEY: minio.endpoint.access_key,
            S3_SECRET_KEY: minio.endpoint.secret_key,
        }
        if not rabbit.external:
            lines[MANAGEMENT_URL] = rabbit.management_url
        for name, value in lines.items():
            sys.stdout.write(f"export {name}='{value}'\n")
        second = versity.endpoint
        sys.stdout.write(f"# versitygw: {second.url} {second.access_key} {second.secret_key}\n")
        sys.stdout.flush()
        say("all up; Ctrl-C stops them")
        signal.pause()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Read the command line and obey it; 1 when a server could not be had."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install", help="install every server and exit")
    start = commands.add_parser("up", help="start every server and stay")
    start.add_argument("--folder", type=Path, help="keep the data there (default: a temporary folder)")
    arguments = parser.parse_args()
    # Both, because a shell script's background process is started with INT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        if arguments.command == "install":
            install()
        elif arguments.folder:
            up(arguments.folder)
        else:
            with tempfile.TemporaryDirectory(prefix="star-servers-") as folder:
                up(Path(folder))
    except ServerError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("stopped")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
