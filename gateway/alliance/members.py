"""Which organisations there are: read from the ledger's own events, remembered while the process lives."""

from __future__ import annotations

import threading

from core.errors import Unavailable
from gateway.identity.registry import Registries
from gateway.ledger.port import Ledger
from gateway.ledger.reasons import LedgerError, Reason

BLOCKS = 2000


class NoSuchMember(Unavailable):
    """No member has the key this gateway is set up with."""

    default_code = "member_missing"
    default_zh = "联盟中没有与登记机构密钥对应的成员，请联系平台管理员。"
    default_en = "No member of the alliance has the registrar's key. Ask the platform's administrator."


class Members:
    """Ids of all organisations ever invited, in order of invitation. Thread-safe."""

    def __init__(self, ledger: Ledger, registries: Registries) -> None:
        self._ledger, self._registries = ledger, registries
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._next, self._last, self._found = 0, b"", dict[bytes, None]()

    def ids(self) -> list[bytes]:
        """All ids up to the head."""
        with self._lock:
            head = self._ledger.head()
            if self._next and not self._still_there():
                self._forget()
            while self._next <= head.height:
                self._read_some(min(head.height, self._next + BLOCKS - 1))
            self._last = head.hash
            return list(self._found)

    def with_key(self, public: bytes) -> bytes:
        """The member whose SM2 key this is. Raises NoSuchMember."""
        ids, register = self.ids(), self._registries.now()
        for id in ids:
            if register.organisation(id).public == public:
                return id
        raise NoSuchMember

    def _still_there(self) -> bool:
        try:
            return self._ledger.block(self._last) is not None
        except LedgerError as error:
            if error.reason is Reason.NOT_FOUND:
                return False
            raise

    def _read_some(self, until: int) -> None:
        for events in self._ledger.events(self._next, until, ["Alliance"]):
            for event in events:
                if event.name in ("OrganisationInvited", "OrganisationJoined"):
                    self._found[bytes(event.args["organisation"])] = None
        self._next = until + 1
