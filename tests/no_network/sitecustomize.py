"""Refuse every connection that would leave this machine, in any Python that has this folder on its path.

The root conftest.py puts it there in the smoke profile, so that all tests and all kernels of the notebooks run behind
it. What was tried is also written to the file DLVC_NETWORK_LOG: a caller may swallow the error, the file remains.
An audit hook cannot be taken away again, nor passed by from Python code.
"""

import ipaddress
import os
import sys
from pathlib import Path

ASKED = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
}


def refuse(event: str, arguments: tuple) -> None:
    """Raise PermissionError for a call that reaches further than this machine."""
    if event not in ASKED:
        return
    address = arguments[ASKED[event]]
    host = address[0] if isinstance(address, tuple) else address
    if is_here(host):
        return
    with Path(os.environ["DLVC_NETWORK_LOG"]).open("a", encoding="utf-8") as log:
        log.write(f"{event} {host}\n")
    raise PermissionError(f"the smoke profile needs no network, but this asks for {host}")


def is_here(host: object) -> bool:
    """Whether the host is this machine. A path (a Unix socket) and no host at all (to listen) are, too."""
    if not isinstance(host, (str, bytes, type(None))):
        return True  # a number: another part of this machine's kernel
    text = host.decode() if isinstance(host, bytes) else str(host or "")
    if text in ("", "localhost") or text.startswith(("/", "\0")):
        return True
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return False  # a name, which would have to be looked up


if "DLVC_NETWORK_LOG" in os.environ:
    sys.addaudithook(refuse)
