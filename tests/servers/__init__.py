"""The real servers the tests need: installed once, started on loopback, stopped by process id."""

from tests.servers.mongodb import Mongo, mongo
from tests.servers.process import Server, ServerError
from tests.servers.rabbitmq import RabbitMQ, rabbitmq
from tests.servers.s3 import Minio, S3Endpoint, VersityGw, minio, versitygw

__all__ = [
    "Minio",
    "Mongo",
    "RabbitMQ",
    "S3Endpoint",
    "Server",
    "ServerError",
    "VersityGw",
    "minio",
    "mongo",
    "rabbitmq",
    "versitygw",
]
