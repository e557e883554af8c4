"""Which process listens where, read from /proc."""

import contextlib
import ipaddress
from pathlib import Path

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_LISTEN = "0A"


def processes_below(root: int) -> set[int]:
    """The process and all its descendants."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = {root}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _sockets_of(pid: int) -> set[str]:
    inodes: set[str] = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes.add(str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]"))
    return inodes


def _address(words: str) -> Address:
    """Decode /proc/net's hexadecimal: 32-bit words in the machine's byte order."""
    raw = bytes.fromhex(words)
    address = ipaddress.ip_address(b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4)))
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def listeners(pids: set[int]) -> set[tuple[int, Address]]:
    """Port and address of every TCP socket on which one of the processes listens."""
    inodes = {inode for pid in pids for inode in _sockets_of(pid)}
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in Path(table).read_text().splitlines()[1:]:
            columns = row.split()
            if columns[3] == _LISTEN and columns[9] in inodes:
                address, port = columns[1].split(":")
                found.add((int(port, 16), _address(address)))
    return found
