"""A RabbitMQ node of our own: own name, ports, folders, cookie and epmd, all on loopback."""

import base64
import http.client
import os
import socket
import subprocess
from pathlib import Path

from tests.servers.install import rabbitmq_program
from tests.servers.ports import LOOPBACK
from tests.servers.process import Server, ServerError, end, end_at_once, spawn

AMQP_URL = "STAR_TEST_AMQP_URL"
MANAGEMENT_URL = "STAR_TEST_AMQP_MANAGEMENT_URL"
_PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
_START_FRAME = b"\x01\x00\x00"  # a method frame on channel 0: the server's Connection.Start
_CONFIGURATION = """\
listeners.tcp.1 = {loopback}:{amqp}
management.tcp.ip = {loopback}
management.tcp.port = {management}
log.console = true
log.console.level = info
log.file = false
"""


class RabbitMQ(Server):
    """Debian's RabbitMQ with the management plugin; the user is guest with password guest."""

    name = "rabbitmq"

    def __init__(self, folder: Path) -> None:
        external = os.environ.get(AMQP_URL)
        super().__init__(folder, external=bool(external), ports=4)
        self._amqp, self._management, self._epmd_port, self._distribution = self.ports or [0] * 4
        self._epmd: subprocess.Popen[bytes] | None = None
        self.url = external or f"amqp://guest:guest@{LOOPBACK}:{self._amqp}/"

    @property
    def management_url(self) -> str:
        """The management API's address with user and password, without a path."""
        if not self.external:
            return f"http://guest:guest@{LOOPBACK}:{self._management}"
        url = os.environ.get(MANAGEMENT_URL)
        if not url:
            raise ServerError(f"{AMQP_URL} is set; this test needs {MANAGEMENT_URL} beside it")
        return url

    @property
    def epmd_pid(self) -> int:
        """The process id of the node's own port mapper; raises `ServerError` when it does not run."""
        if self._epmd is None:
            raise ServerError("rabbitmq's epmd does not run")
        return self._epmd.pid

    def install(self) -> None:
        rabbitmq_program(instead=AMQP_URL)

    def prepare(self) -> None:
        ports = {"amqp": self._amqp, "management": self._management}
        (self.folder / "rabbitmq.conf").write_text(_CONFIGURATION.format(loopback=LOOPBACK, **ports))
        (self.folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        # Left to itself the node would start a shared, lasting epmd; ours has its own port and ends with the node.
        if self._epmd is None or self._epmd.poll() is not None:
            epmd = ["epmd", "-address", LOOPBACK, "-port", str(self._epmd_port)]
            self._epmd = spawn(epmd, self.folder / "epmd.log", self.environment())

    def command(self) -> list[str]:
        # Debian's own wrapper would change user and read /etc; the script below it does neither.
        return [str(rabbitmq_program(instead=AMQP_URL)), "-noinput"]

    def variables(self) -> dict[str, str]:
        folder = self.folder
        return {
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": str(self._epmd_port),
            # Makes the script replace itself by the Erlang machine, so that our pid and its death signal are the
            # machine's own; -noinput on the command line takes back the console this would open.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_NODENAME": f"star-{self._amqp}@localhost",
            "RABBITMQ_CONF_ENV_FILE": str(folder / "absent-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "absent-advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def answers(self) -> bool:
        return self._speaks_amqp() and self._management_answers()

    def _speaks_amqp(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self._amqp), timeout=2) as connection:
                connection.sendall(_PROTOCOL_HEADER)
                return connection.recv(len(_START_FRAME)) == _START_FRAME
        except OSError:
            return False

    def _management_answers(self) -> bool:
        guest = {"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode()}
        connection = http.client.HTTPConnection(LOOPBACK, self._management, timeout=5)
        try:
            connection.request("GET", "/api/health/checks/local-alarms", headers=guest)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        super().stop()
        if self._epmd is not None:
            end(self._epmd)
            self._epmd = None

    def _end_at_once(self) -> None:
        super()._end_at_once()
        if self._epmd is not None:
            end_at_once(self._epmd)
            self._epmd = None


def rabbitmq(folder: Path) -> RabbitMQ:
    """Return a RabbitMQ node that will keep its data in the folder; not yet started."""
    return RabbitMQ(folder)
