"""S3 servers: MinIO and versitygw, each with generated credentials and a data folder."""

import http.client
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.servers.install import go_program
from tests.servers.ports import LOOPBACK
from tests.servers.process import Server, ServerError

S3_URL = "STAR_TEST_S3_URL"
S3_ACCESS_KEY = "STAR_TEST_S3_ACCESS_KEY"
S3_SECRET_KEY = "STAR_TEST_S3_SECRET_KEY"


@dataclass(frozen=True)
class S3Endpoint:
    """Where an S3 server listens and who may do everything there."""

    url: str
    access_key: str
    secret_key: str


def external_endpoint() -> S3Endpoint | None:
    """Return the deployment the STAR_TEST_S3_* variables name; raises `ServerError` when only some are set."""
    url = os.environ.get(S3_URL)
    if not url:
        return None
    access_key, secret_key = os.environ.get(S3_ACCESS_KEY), os.environ.get(S3_SECRET_KEY)
    if not access_key or not secret_key:
        raise ServerError(f"{S3_URL} needs {S3_ACCESS_KEY} and {S3_SECRET_KEY} beside it")
    return S3Endpoint(url, access_key, secret_key)


class _S3Server(Server):
    health: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        external = external_endpoint()
        super().__init__(folder, external=external is not None)
        self.endpoint = external or S3Endpoint(
            f"http://{self.address}", "star-" + secrets.token_hex(6), secrets.token_hex(20)
        )

    @property
    def address(self) -> str:
        """Host and port as both servers want them."""
        return f"{LOOPBACK}:{self.ports[0]}"

    @property
    def data(self) -> Path:
        """The folder with the buckets."""
        return self.folder / "data"

    def prepare(self) -> None:
        self.data.mkdir(exist_ok=True)

    def answers(self) -> bool:
        connection = http.client.HTTPConnection(self.address, timeout=2)
        try:
            connection.request("GET", self.health)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Minio(_S3Server):
    """MinIO on one folder, without its console."""

    name = "minio"
    health = "/minio/health/cluster"  # ready for writes, not merely alive

    def install(self) -> None:
        go_program("minio", instead=S3_URL)

    def command(self) -> list[str]:
        program = go_program("minio", instead=S3_URL)
        return [str(program), "server", "--address", self.address, str(self.data)]

    def variables(self) -> dict[str, str]:
        return {
            "MINIO_ROOT_USER": self.endpoint.access_key,
            "MINIO_ROOT_PASSWORD": self.endpoint.secret_key,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        }


class VersityGw(_S3Server):
    """versitygw with its posix backend: a second, independent reading of the S3 protocol."""

    name = "versitygw"
    health = "/health"

    def install(self) -> None:
        go_program("versitygw", instead=S3_URL)

    @property
    def sidecar(self) -> Path:
        """Where object metadata goes, since not every temporary folder knows extended attributes."""
        return self.folder / "metadata"

    def prepare(self) -> None:
        super().prepare()
        self.sidecar.mkdir(exist_ok=True)

    def command(self) -> list[str]:
        program = go_program("versitygw", instead=S3_URL)
        served = ["--port", self.address, "--health", self.health, "--quiet"]
        return [str(program), *served, "posix", "--sidecar", str(self.sidecar), str(self.data)]

    def variables(self) -> dict[str, str]:
        return {"ROOT_ACCESS_KEY": self.endpoint.access_key, "ROOT_SECRET_KEY": self.endpoint.secret_key}


def minio(folder: Path) -> Minio:
    """Return a MinIO that will keep its data in the folder; not yet started."""
    return Minio(folder)


def versitygw(folder: Path) -> VersityGw:
    """Return a versitygw that will keep its data in the folder; not yet started."""
    return VersityGw(folder)
