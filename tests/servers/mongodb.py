"""A server of MongoDB's wire protocol: mongo-java-server on an H2 file, and our indexes (folder `mongo`)."""

import os
from pathlib import Path

from tests.servers.install import java_folder
from tests.servers.ports import LOOPBACK
from tests.servers.process import Server

MONGO_URL = "STAR_TEST_MONGO_URL"
_SOURCES = Path(__file__).parent / "mongo"
_JAVA = (
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-Djava.net.preferIPv4Stack=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


class Mongo(Server):
    """The stand-in for mongod: durable over stop(), but kill() loses about the last second of writes."""

    name = "mongo"

    def __init__(self, folder: Path) -> None:
        external = os.environ.get(MONGO_URL)
        super().__init__(folder, external=bool(external))
        self.url = external or f"mongodb://{LOOPBACK}:{self.ports[0]}/?directConnection=true"

    def install(self) -> None:
        java_folder(_SOURCES, instead=MONGO_URL)

    def command(self) -> list[str]:
        classes = java_folder(_SOURCES, instead=MONGO_URL)
        store = str(self.folder / "mongo.h2")
        return ["java", *_JAVA, "-cp", f"{classes}/*", "MongoLauncher", LOOPBACK, str(self.ports[0]), store]

    def answers(self) -> bool:
        # Imported late: installing needs the standard library only.
        from pymongo import MongoClient  # noqa: PLC0415
        from pymongo.errors import PyMongoError  # noqa: PLC0415

        client: MongoClient[dict[str, object]] = MongoClient(self.url, serverSelectionTimeoutMS=500)
        with client:
            try:
                return bool(client.admin.command("ping")["ok"])
            except PyMongoError:
                return False


def mongo(folder: Path) -> Mongo:
    """Return a MongoDB-wire server that will keep its data in the folder; not yet started."""
    return Mongo(folder)
