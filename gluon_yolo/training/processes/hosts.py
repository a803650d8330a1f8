"""Hosts: how many machines train together, and how this one reaches the place where they meet."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import sys
from typing import NamedTuple

from gluon_yolo.errors import SettingError

_GET_ADDRESS = 0x8915  # SIOCGIFADDR of Linux
_NAME_BYTES = 16  # of an interface, in its answer
_ADDRESS = slice(20, 24)  # likewise


class Hosts(NamedTuple):
    """The number of hosts: a training waits for the most, and goes on with the least."""

    least: int = 1
    most: int = 1

    @classmethod
    def of(cls, text: str) -> Hosts:
        """Return the number that a setting gives: ``2``, or ``1:2`` for one or two.

        Raises:
            SettingError: it is none.
        """
        match = re.fullmatch(r"(\d+)(?::(\d+))?", text.strip())
        least, most = (int(match.group(1)), int(match.group(2) or match.group(1))) if match else (0, 0)
        if not 1 <= least <= most:
            raise SettingError(
                f"{{hosts}} {text}: expected a number of hosts, as 2, or the least and the most, as 1:2"
            )
        return cls(least, most)


class Meet(NamedTuple):
    """The place where hosts meet: a port of one of them, which the others can reach."""

    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> Meet:
        """Return the place that a setting gives: ``HOST:PORT``.

        Raises:
            SettingError: it is none.
        """
        host, colon, port = text.strip().rpartition(":")
        if not colon or not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise SettingError(f"{{meet}} {text}: expected HOST:PORT, of one of the hosts, as 10.0.0.1:29400")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def address(self) -> str:
        """Return the address of the host.

        Raises:
            UserError: it has none.
        """
        try:
            return str(socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0][4][0])
        except OSError as error:
            raise SettingError(
                f"{{meet}} {self}: {self.host} has no address here: {error.strerror}; give the host's address"
            ) from error

    def is_held_here(self) -> bool:
        """Return whether this process is to hold the place: it is an address of this machine, and free."""
        address = self.address()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, self.port))
            except OSError:
                return False
        return True

    def own_address(self) -> str:
        """Return the address of this machine by which it reaches the host.

        Raises:
            UserError: there is no way to it.
        """
        address = self.address()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((address, self.port))  # sends nothing: it only looks up the way
            except OSError as error:
                raise SettingError(
                    f"{{meet}} {self}: no way there from here: {error.strerror}; give another address"
                ) from error
            return probe.getsockname()[0]


def interface_of(address: str) -> str:
    """Return the name of the network interface with an IPv4 address of this machine; empty if unknown."""
    if sys.platform != "linux":
        return ""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # an interface without such an address
                answer = fcntl.ioctl(
                    probe, _GET_ADDRESS, struct.pack("256s", name.encode()[: _NAME_BYTES - 1])
                )
                if socket.inet_ntoa(answer[_ADDRESS]) == address:
                    return name
    return ""
