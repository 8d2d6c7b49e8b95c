"""Connections that can be cut: TCP forwarders between parts of a network, or in front of one with TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Wrap = Callable[[socket.socket], socket.socket]


class Wire:
    """Listens on a free port and passes on to another port of this machine while it is whole. ``wrap``: what is done to a
    connection first; one that fails there is dropped."""

    def __init__(self, target: int, wrap: Wrap | None = None) -> None:
        self._target = target
        self._wrap = wrap
        self._whole = True
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Break what is open and let nothing through."""
        self._whole = False
        self._drop()

    def mend(self) -> None:
        """Let through again."""
        self._whole = True

    def close(self) -> None:
        """End for good."""
        self.cut()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _drop(self) -> None:
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        """Pass on both ways until one side ends."""
        try:
            near = self._wrap(near) if self._wrap else near
            far = socket.create_connection(("127.0.0.1", self._target), timeout=10)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        with self._lock:
            self._open |= {near, far}
        if not self._whole:
            self._drop()
        back = threading.Thread(target=_pump, args=(far, near), daemon=True)
        back.start()
        _pump(near, far)
        back.join()
        with self._lock:
            self._open -= {near, far}
        near.close()
        far.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError, ValueError):
        while data := source.recv(65536):
            sink.sendall(data)
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextmanager
def behind_tls(target: int, context: Callable[[], ssl.SSLContext]) -> Iterator[int]:
    """A port at which a plain port of this machine speaks TLS. ``context`` is asked for each connection."""
    wire = Wire(target, lambda one: context().wrap_socket(one, server_side=True))
    try:
        yield wire.port
    finally:
        wire.close()
