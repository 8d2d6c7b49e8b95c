"""Typed client of a release gate: signs every request with a practitioner's or the resident's own SM2 key.

gate = GateClient("http://127.0.0.1:8091", practitioner(doctor_id, doctor_key))
reading = gate.read(subject, record, schema, "laboratory", consent=consent, artefact=sealed)
reading.elements["3"], reading.withheld, reading.bundle
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import httpx
import orjson

from core.emergency import EmergencyArtefact
from core.errors import HealthTrustError
from core.hexes import to_bytes, to_hex
from core.httpsig import key_id, sign_request
from offchain.bundle import complete

PREFIX = "/gate/v1"
Fields = Literal["all"] | Sequence[int]


@dataclass(frozen=True, slots=True)
class Signer:
    """Who asks, and the private key (32 bytes) to show it with. ``repr`` never shows the key."""

    keyid: str
    private: bytes

    def __repr__(self) -> str:
        return f"Signer({self.keyid!r})"


def practitioner(identifier: bytes, private: bytes) -> Signer:
    """A doctor, by practitioner id."""
    return Signer(key_id("practitioner", identifier), private)


def resident(subject: bytes, private: bytes) -> Signer:
    """The resident, by subject id."""
    return Signer(key_id("subject", subject), private)


class GateRefused(HealthTrustError):
    """The gate said no. ``http_status`` and ``code`` are its own; ``receipt``: number of the refusal's receipt, if any."""

    default_code = "gate_refused"

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        text = problem.get("text") or {"zh": str(problem.get("detail")), "en": str(problem.get("title"))}
        super().__init__(str(problem.get("code", "gate_refused")), text["zh"], text["en"])
        self.http_status = status
        self.problem_document = problem
        self.receipt: int | None = (problem.get("params") or {}).get("receipt")


@dataclass(frozen=True, slots=True)
class Reading:
    """A served record.

    ``elements``: value by element number (text); ``withheld``: element numbers not shown; ``bundle``: the proof.
    """

    record: dict[str, Any]
    withheld: list[int]
    decision: dict[str, Any]
    bundle: dict[str, Any]

    @property
    def elements(self) -> dict[str, Any]:
        """Values by element number."""
        elements: dict[str, Any] = self.record["elements"]
        return elements

    @property
    def receipt(self) -> int:
        """Number of the receipt."""
        number: int = self.bundle["receipt"]["number"]
        return number


@dataclass(frozen=True, slots=True)
class Listing:
    """What may be read: entries with the mask that would be served. ``next``: pass as ``after`` for the next page."""

    entries: list[dict[str, Any]]
    next: int | None
    receipt: int


@dataclass(frozen=True, slots=True)
class OpenedConsent:
    """A consent as its grantee holds it: id, scope words and salt of the commitment."""

    consent: bytes
    words: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """One decision asked for. ``fields``: a mask too; ``consent``: id of one of those shown."""

    subject: bytes
    record: bytes
    schema: bytes
    category: str
    consent: bytes | None = None
    purpose: str = "TREAT"
    role: str = "physician"
    fields: Fields | int = "all"

    def document(self) -> dict[str, Any]:
        """As it travels."""
        fields = to_hex(self.fields.to_bytes(32, "big")) if isinstance(self.fields, int) else self.fields
        named = {name: to_hex(getattr(self, name)) for name in ("subject", "record", "schema")}
        said = {"category": self.category, "purpose": self.purpose, "role": self.role}
        return {**named, **said, "fields": fields, "consent": None if self.consent is None else to_hex(self.consent)}


@dataclass(frozen=True, slots=True)
class Decided:
    """A gate's decision: outcome and reason as in receipts, and the mask of fields (0 unless permit)."""

    outcome: str
    reason: str
    fields: int


class GateClient:
    """One gate, asked by one person. ``url``: the gate's public URL, which is part of what is signed."""

    def __init__(
        self, url: str, signer: Signer, http: httpx.Client | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._url = url.rstrip("/")
        self._signer = signer
        self._http = http or httpx.Client(timeout=30.0, trust_env=False)
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self._http.close()

    def read(
        self,
        subject: bytes,
        record: bytes,
        schema: bytes,
        category: str,
        *,
        purpose: str = "TREAT",
        fields: Fields = "all",
        role: str = "physician",
        consent: bytes | None = None,
        artefact: dict[str, Any] | None = None,
    ) -> Reading:
        """Read one record. Raises GateRefused, httpx.HTTPError."""
        request = {
            "subject": to_hex(subject),
            "purpose": purpose,
            "record": to_hex(record),
            "schema": to_hex(schema),
            "category": category,
            "fields": fields if fields == "all" else list(fields),
            "role": role,
        }
        body = {"request": request, "consent": None if consent is None else to_hex(consent), "artefact": artefact}
        answer = self._send("POST", "/records/read", body)
        return Reading(answer["record"], answer["withheld"], answer["decision"], answer["bundle"])

    def read_own(self, subject: bytes, record: bytes, schema: bytes, category: str) -> Reading:
        """A resident reads their own record."""
        return self.read(subject, record, schema, category, purpose="PATRQT", role="resident")

    def list(
        self,
        subject: bytes,
        *,
        purpose: str = "TREAT",
        role: str = "physician",
        consent: bytes | None = None,
        artefact: dict[str, Any] | None = None,
        after: int = -1,
    ) -> Listing:
        """What may be read under a consent. Raises as :meth:`read`."""
        named = None if consent is None else to_hex(consent)
        body = {
            "subject": to_hex(subject),
            "purpose": purpose,
            "role": role,
            "consent": named,
            "artefact": artefact,
            "after": after,
        }
        answer = self._send("POST", "/records/list", body)
        return Listing(answer["entries"], answer["next"], answer["receipt"])

    def pages(self, subject: bytes, *, consent: bytes, artefact: dict[str, Any], purpose: str = "TREAT") -> Iterator[Listing]:
        """Everything that may be read under a consent, page by page. Raises as :meth:`read`."""
        after: int | None = -1
        while after is not None:
            page = self.list(subject, purpose=purpose, consent=consent, artefact=artefact, after=after)
            yield page
            after = page.next

    def list_own(self, subject: bytes, after: int = -1) -> Listing:
        """A resident's own records at this custodian."""
        return self.list(subject, purpose="PATRQT", role="resident", after=after)

    def decide(self, asks: Sequence[Ask], consents: Sequence[OpenedConsent] = ()) -> Sequence[Decided]:
        """May I read these, and which fields? Nothing is read, nothing is kept. At most 200 asks. Raises as :meth:`read`."""
        shown = [{"consent": to_hex(c.consent), "words": to_hex(c.words), "salt": to_hex(c.salt)} for c in consents]
        answer = self._send("POST", "/decisions", {"consents": shown, "asks": [a.document() for a in asks]})
        return [Decided(d["outcome"], d["reason"], int(d["fields"], 16)) for d in answer["decisions"]]

    def complete(self, bundle: dict[str, Any]) -> dict[str, Any]:
        """The bundle with what the ledger holds by now: the receipt's batch and the storage proofs. Raises as :meth:`read`."""
        added = self._send("GET", f"/receipts/{bundle['receipt']['number']}/bundle", None)
        return complete(bundle, added)

    def onsite(self, purposes: Sequence[str], categories: Literal["all"] | Sequence[str], days: int) -> dict[str, Any]:
        """What a doctor shows on screen for the resident to scan: ``payload``, ``text`` and ``qr`` (an SVG data URL)."""
        wanted = categories if categories == "all" else [*categories]
        return self._send("POST", "/onsite", {"purposes": [*purposes], "categories": wanted, "days": days})

    def keys(self, nonce: bytes, parties: Sequence[tuple[str, bytes]]) -> tuple[bytes, bytes]:
        """What the custodian's own node says of these keys, and the custodian's signature over it. ``parties``: kind and id."""
        wanted = [{"kind": kind, "id": to_hex(id)} for kind, id in parties]
        answer = self._send("POST", "/keys", {"nonce": to_hex(nonce), "parties": wanted})
        return answer["statement"].encode(), to_bytes(answer["signature"], 64)

    def open_emergency(self, artefact: EmergencyArtefact) -> None:
        """One of the two who signed puts it on the ledger, at their own organisation's gate. Raises as :meth:`read`."""
        first, second = ({"practitioner": to_hex(s.practitioner), "signature": to_hex(s.signature)} for s in artefact.signers)
        commitment = to_hex(artefact.scope.commitment(artefact.salt))
        said = {"id": to_hex(artefact.consent), "commitment": commitment, "minutes": artefact.minutes}
        self._send("POST", "/emergencies", {**said, "first": first, "second": second})

    def _send(self, method: str, path: str, document: dict[str, Any] | None) -> dict[str, Any]:
        url, body = self._url + PREFIX + path, b"" if document is None else orjson.dumps(document)
        headers = sign_request(self._signer.private, self._signer.keyid, method, url, body, now=int(self._clock()))
        response = self._http.request(method, url, content=body or None, headers={"content-type": "application/json", **headers})
        if response.status_code != httpx.codes.OK:
            raise GateRefused(response.status_code, _problem(response))
        answer: dict[str, Any] = orjson.loads(response.content)
        return answer


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        doc = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        doc = None
    return doc if isinstance(doc, dict) else {"code": "gate_unreadable", "title": "The gate's answer is not a problem document."}
