"""Loopback ports that nobody else holds and that no client can take by accident."""

import errno
import itertools
import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
# MinIO and epmd, told to listen on 127.0.0.1, do so on ::1 as well.
_LOOPBACKS = ((socket.AF_INET, LOOPBACK), (socket.AF_INET6, "::1"))
_LOWEST = 20000
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    return not any(_is_taken(family, address, port) for family, address in _LOOPBACKS)


def _is_taken(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            probe.listen()
    except OSError as error:
        return error.errno == errno.EADDRINUSE  # a machine without IPv6 refuses otherwise
    return False


def _is_ours(port: int) -> bool:
    """Reserve a port for this process until it ends, by holding the UDP port of the same number."""
    claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        claim.bind((LOOPBACK, port))
    except OSError:
        claim.close()
        return False
    claim.detach()  # open for as long as the interpreter is
    return True


def free_ports(count: int) -> list[int]:
    """Pick distinct free loopback ports below the range the kernel gives to outgoing connections.

    A server keeps its port while it is stopped. Were the port ephemeral, a client that retries during the
    outage could be given it as its own source port, connect to itself and keep the server from coming back.
    A port is picked once only, by this test run and by others on the machine: whoever picked it may start late.
    """
    ephemeral_from = int(_EPHEMERAL_RANGE.read_text().split()[0])
    highest = ephemeral_from if ephemeral_from > _LOWEST + 1000 else 65536
    candidates = random.SystemRandom().sample(range(_LOWEST, highest), 200)
    free = list(itertools.islice((port for port in candidates if is_free(port) and _is_ours(port)), count))
    if len(free) < count:
        raise OSError(f"fewer than {count} of 200 tried loopback ports are free")
    return free
