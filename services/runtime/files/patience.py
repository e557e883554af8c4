"""HTTP with bounded patience: a silent server is given up at once, a slow line is not taken for a dead one."""

from types import TracebackType
from typing import Any, Self

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Retry, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import ReadTimeoutError

_CONNECT_S = 4.0
_SILENCE_S = 7.0
_SLICE = 64 * 1024


def patient_pool(connections: int) -> PoolManager:
    """A pool whose requests end within some 15 seconds when the server is dead, far away or frozen."""
    retries = _BriefRetry(
        total=2,
        connect=1,
        read=1,
        status=2,
        redirect=0,
        other=0,
        backoff_factor=0.2,
        status_forcelist=[500, 502, 503, 504],
        respect_retry_after_header=False,  # a server must not decide how long we wait
    )
    pool = PoolManager(maxsize=connections, timeout=Timeout(connect=_CONNECT_S, read=_SILENCE_S), retries=retries)
    pool.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
    return pool


class _BriefRetry(Retry):
    """Retries what failed quickly, such as a connection that a restarted server had forgotten; never a silence."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        if isinstance(error, ReadTimeoutError):
            raise error
        return super().increment(method, url, response, error, _pool, _stacktrace)


# urllib3 sends a body in one call and lets the connect timeout cover all of it, so a 5 MiB part would need
# 10 Mbit/s. Sent in slices, every slice has that time to itself.


class _HTTP(HTTPConnection):
    def send(self, data: Any) -> None:
        for piece in _slices(data):
            super().send(piece)


class _HTTPS(HTTPSConnection):
    def send(self, data: Any) -> None:
        for piece in _slices(data):
            super().send(piece)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS


def _slices(data: Any) -> list[Any]:
    if not isinstance(data, bytes):
        return [data]
    whole = memoryview(data)
    return [whole[start : start + _SLICE] for start in range(0, len(data), _SLICE)]
