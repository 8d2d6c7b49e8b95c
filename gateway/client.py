"""Typed client of the REST interface, for people's programs and for machines.

    with GatewayClient("http://127.0.0.1:8080") as client:
        client.log_in(Key.of("subject", subject, private))
        made = client.grant(scope)
        client.wait(made.operation)

Every method returns the models of ``gateway/<noun>/schemas.py``; refusals raise :class:`GatewayProblem`. Reads are tried
again when the
network stumbles; writes too, under the same Idempotency-Key.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter

from core import artefact as artefacts
from core import crypto, emergency, httpsig
from core.artefact import ConsentArtefact
from core.canonical import canonical
from core.errors import ForPeople
from core.hexes import to_bytes, to_hex
from core.messages import ConsentRevoke, KeyBind, KeyRotate
from core.scope import Scope
from gateway.access.schemas import RequestMade, RequestOut, RequestPage
from gateway.alliance.schemas import AllianceOut, OrganisationOut
from gateway.audit.schemas import LifeOut
from gateway.chain.schemas import BlockOut, LedgerOut, ReadyOut, TransactionOut
from gateway.consent.schemas import ConsentOut, ConsentPage, PrepareOut, PreviewOut, RecipientOut, SealedArtefact
from gateway.emergency.schemas import EmergencyForSigners, EmergencyPage, SignersPage
from gateway.evidence.schemas import EvidencePage
from gateway.identity.registry import ACTIVE, CUSTODIAN, Registries
from gateway.identity.schemas import CredentialOut, DirectoryOut, EnrolmentOut, LookupOut, PatientCodeOut, SubjectKeyOut
from gateway.index.schemas import BatchOut, EntryOut, EntryPage, ProofOut
from gateway.notice.schemas import NoticeOut, NoticePage
from gateway.operation.schemas import Accepted, OperationOut
from gateway.receipt.schemas import ReceiptPage, ReceiptsTaken
from gateway.schema.schemas import SchemaOut, SchemaTaken
from gateway.session.message import login_message
from gateway.session.schemas import ChallengeOut, SessionOut

PREFIX = "/api/v1"
RETRIES = 3
WAIT_SECONDS = 180.0
"""How long a write is waited for unless the caller says otherwise: blocks are a second apart, busy machines are not quick."""
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Key:
    """A party and its private SM2 key (32 bytes). ``keyid``: ``subject:0x…``, ``practitioner:0x…`` or ``organisation:0x…``."""

    keyid: str
    private: bytes

    @classmethod
    def of(cls, party: str, id: bytes, private: bytes) -> Key:
        """Key of a party by its 32-byte id."""
        return cls(httpsig.key_id(party, id), private)

    @property
    def id(self) -> str:
        """The party's id, ``0x`` hex."""
        return self.keyid.partition(":")[2]

    def __repr__(self) -> str:
        return f"Key({self.keyid!r})"


class GatewayProblem(ForPeople):
    """A refusal (RFC 9457). ``code`` is stable; ``detail`` says what to do, in the client's language; ``document`` is all
    of it."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(document.get("code", f"http_{status}"))
        self.detail = str(document.get("detail", ""))
        self.document = dict(document)
        super().__init__(f"{status} {self.code}: {self.detail}")


class FalseRecipient(ForPeople):
    """The gateway named somebody to seal a consent for who may not open it, or gave a key that is not theirs. Nothing was
    signed or sent; the gateway is broken or in wrong hands."""

    def __init__(self, recipient: str, why: str) -> None:
        super().__init__(f"the gateway names {recipient} as a recipient: {why}; nothing was signed")


class GatewayClient:
    """One caller. Without a key: open routes only. ``log_in`` opens a session; ``sign_as`` signs every request instead
    (machines). ``own_node``: the registries as a ledger node of one's own holds them; with it no key is taken on the gateway's
    word (docs/security.md)."""

    def __init__(
        self,
        url: str,
        *,
        http: httpx.Client | None = None,
        language: str = "zh",
        timeout: float = 40.0,
        own_node: Registries | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._http = http or httpx.Client(timeout=timeout, trust_env=False)
        self._language = language
        self._own_node = own_node
        self._key: Key | None = None
        self._signs = False
        self._token: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections (the session on the server stays; see :meth:`log_out`)."""
        self._http.close()

    # talking

    def call(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None, key: str | None = None
    ) -> Any:
        """One request below ``/api/v1``; the JSON answer, or None. ``key``: Idempotency-Key, fresh unless given."""
        params = {k: v for k, v in (query or {}).items() if v is not None}
        target = str(httpx.URL(self.url + PREFIX + path, params=params or None))
        content = b"" if body is None else _dump(body)
        once = key or secrets.token_urlsafe(24)
        for attempt in range(RETRIES):
            try:
                answer = self._http.request(method, target, content=content, headers=self._headers(method, target, content, once))
            except httpx.TransportError:
                if attempt == RETRIES - 1:
                    raise
                time.sleep(0.2 * 2**attempt)
            else:
                return _result(answer)
        raise AssertionError("unreachable")

    def _headers(self, method: str, target: str, content: bytes, key: str) -> dict[str, str]:
        headers = {"Accept": "application/json", "Accept-Language": self._language}
        if content:
            headers["Content-Type"] = "application/json"
        if method != "GET":
            headers["Idempotency-Key"] = key
        if self._signs and self._key:
            return headers | httpsig.sign_request(self._key.private, self._key.keyid, method, target, content)
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})

    def _get(self, model: type[M], path: str, **query: Any) -> M:
        return model.model_validate(self.call("GET", path, query=query))

    def _post(self, model: type[M], path: str, body: Any = None, key: str | None = None) -> M:
        return model.model_validate(self.call("POST", path, body=body, key=key))

    def _own_key(self) -> Key:
        if self._key is None:
            raise ValueError("log in or sign_as first")
        return self._key

    # sessions

    def log_in(self, key: Key) -> SessionOut:
        """Open a session with an SM2 key."""
        challenge = self._post(ChallengeOut, "/sessions/challenges", {"keyid": key.keyid})
        message = login_message(to_bytes(challenge.ledger), self.url, key.keyid, to_bytes(challenge.challenge))
        signature = to_hex(crypto.sm2_sign(key.private, message))
        body = {"keyid": key.keyid, "challenge": challenge.challenge, "signature": signature}
        return self._opened(self._post(SessionOut, "/sessions", body), key)

    def log_in_with_password(self, name: str, password: str) -> SessionOut:
        """Open an administrator's session."""
        return self._opened(self._post(SessionOut, "/sessions/password", {"name": name, "password": password}), None)

    def _opened(self, session: SessionOut, key: Key | None) -> SessionOut:
        self._token, self._key, self._signs = session.token, key, False
        return session

    def sign_as(self, key: Key) -> Self:
        """Sign every request with this key from now on."""
        self._key, self._signs, self._token = key, True, None
        return self

    def who_am_i(self) -> SessionOut:
        """The caller as the gateway sees it."""
        return self._get(SessionOut, "/sessions/current")

    def log_out(self) -> None:
        """End the session."""
        self.call("DELETE", "/sessions")
        self._token = None

    # the ledger, the alliance

    def ready(self) -> ReadyOut:
        """Whether the gateway can do its work."""
        answer = self._http.get(f"{self.url}{PREFIX}/ready")
        return ReadyOut.model_validate_json(answer.content)

    def ledger(self) -> LedgerOut:
        """Facts and domains of the ledger."""
        return self._get(LedgerOut, "/ledger")

    def block(self, reference: int | str = "head") -> BlockOut:
        """A block by height, hash or `head`."""
        return self._get(BlockOut, f"/blocks/{reference}")

    def transaction(self, id: str) -> TransactionOut:
        """Where a transaction stands."""
        return self._get(TransactionOut, f"/transactions/{id}")

    def alliance(self) -> AllianceOut:
        """The alliance."""
        return self._get(AllianceOut, "/alliance")

    def organisations(self) -> list[OrganisationOut]:
        """All members."""
        return TypeAdapter(list[OrganisationOut]).validate_python(self.call("GET", "/organisations"))

    def set_organisation_profile(self, code: str, name: str, gate: str | None = None) -> OrganisationOut:
        """The calling organisation's public words."""
        return self._post(OrganisationOut, "/organisations/profile", {"code": code, "name": name, "gate": gate})

    # operations

    def operation(self, id: str, wait: float = 0) -> OperationOut:
        """Where a write stands, after waiting at most ``wait`` seconds (30 at most)."""
        return self._get(OperationOut, f"/operations/{id}", wait=wait)

    def wait(self, operation: OperationOut | Accepted, seconds: float = WAIT_SECONDS) -> OperationOut:
        """Wait until a write is final; GatewayProblem if it failed, TimeoutError if it is not final in time."""
        found = operation.operation if isinstance(operation, Accepted) else operation
        return _await(lambda wait: self.operation(found.id, wait), seconds)

    # identities

    def fill_directory(self, entries: Sequence[Mapping[str, str]]) -> DirectoryOut:
        """Registrar: who may enrol; {lookup, subject, nameCheck} each."""
        return self._post(DirectoryOut, "/identities/directory", {"entries": list(entries)})

    def begin_enrolment(self, id_number: str, name: str, code: str) -> EnrolmentOut:
        """Step one of opening the health account."""
        return self._post(EnrolmentOut, "/identities/enrolments", {"id_number": id_number, "name": name, "code": code})

    def finish_enrolment(self, begun: EnrolmentOut, private: bytes, seconds: float = WAIT_SECONDS) -> OperationOut:
        """Step two: prove the new key and wait until the ledger has bound it."""
        public = crypto.sm2_public(private)
        message = KeyBind(to_bytes(begun.domain), to_bytes(begun.subject), public).pack()
        body = {"publicKey": to_hex(public), "possession": to_hex(crypto.sm2_sign(private, message))}
        path = f"/identities/enrolments/{begun.ticket}"
        self._post(Accepted, path, body)
        return _await(lambda wait: self._get(OperationOut, path, wait=wait), seconds)

    def enrol(self, id_number: str, name: str, code: str, private: bytes, seconds: float = WAIT_SECONDS) -> Key:
        """Open the health account with this key; the key to log in with."""
        begun = self.begin_enrolment(id_number, name, code)
        self.finish_enrolment(begun, private, seconds)
        return Key.of("subject", to_bytes(begun.subject), private)

    def rotate_key(self, new_private: bytes) -> OperationOut:
        """Resident: hand over to a new key and wait until the ledger has it; the client goes on with the new one."""
        key, public = self._own_key(), crypto.sm2_public(new_private)
        subject, domain = to_bytes(key.id), to_bytes(self.ledger().domains["Identity"])
        nonce = self.subject_key(key.id).nonce
        by_old = crypto.sm2_sign(key.private, KeyRotate(domain, subject, public, nonce).pack())
        possession = crypto.sm2_sign(new_private, KeyBind(domain, subject, public).pack())
        body = {"publicKey": to_hex(public), "signature": to_hex(by_old), "possession": to_hex(possession)}
        done = self.wait(self._post(Accepted, "/identities/rotations", body))
        self._key = Key(key.keyid, new_private)
        return done

    def subject_key(self, subject: str) -> SubjectKeyOut:
        """A subject's key on the ledger."""
        return self._get(SubjectKeyOut, f"/identities/{subject}/key")

    def look_up(self, *, id_number: str | None = None, code: str | None = None) -> str:
        """Practitioner: a patient's pseudonym."""
        return self._post(LookupOut, "/identities/lookups", {"id_number": id_number, "code": code}).subject

    def make_code(self) -> PatientCodeOut:
        """Resident: a code to show to a doctor."""
        return self._post(PatientCodeOut, "/identities/codes")

    def credential(self, practitioner: str) -> CredentialOut:
        """A practitioner."""
        return self._get(CredentialOut, f"/credentials/{practitioner}")

    def set_practitioner_profile(self, practitioner: str, name: str, title: str, department: str) -> CredentialOut:
        """Organisation: what patients see of its practitioner."""
        body = {"name": name, "title": title, "department": department}
        return self._post(CredentialOut, f"/credentials/{practitioner}/profile", body)

    # schemas, index

    def register_schema(self, document: Mapping[str, Any]) -> SchemaTaken:
        """Organisation: keep a document type, and register it where the ledger does not have it."""
        return self._post(SchemaTaken, "/schemas", {"document": dict(document)})

    def schemas(self) -> list[SchemaOut]:
        """All document types."""
        return TypeAdapter(list[SchemaOut]).validate_python(self.call("GET", "/schemas"))

    def post_batch(self, document: Mapping[str, Any]) -> BatchOut:
        """Custodian: an anchored batch with its entries, as its anchorer describes it (``BatchIn``)."""
        return self._post(BatchOut, "/index/batches", dict(document))

    def entries(self, **query: Any) -> EntryPage:
        """Resident: own records; ``category``, ``custodian``, ``from_``, ``to``, ``cursor``, ``limit``."""
        if "from_" in query:
            query["from"] = query.pop("from_")
        return self._get(EntryPage, "/index/entries", **query)

    def all_entries(self) -> Iterator[EntryOut]:
        """Resident: every own record."""
        page = self.entries(limit=500)
        yield from page.items
        while page.next:
            page = self.entries(limit=500, cursor=page.next)
            yield from page.items

    def search(self, artefact: ConsentArtefact, purpose: str, role: str, **more: Any) -> EntryPage:
        """Practitioner: what this consent opens to the caller; ``category``, ``custodian``, ``cursor``, ``limit``."""
        body = {
            "subject": to_hex(artefact.scope.subject),
            "purpose": purpose,
            "role": role,
            "artefact": artefact.to_json(),
            **more,
        }
        return self._post(EntryPage, "/index/search", body)

    def entry(self, record: str) -> EntryOut:
        """One record's entry, for its subject or custodian."""
        return self._get(EntryOut, f"/index/entries/{record}")

    def proof(self, record: str) -> ProofOut:
        """Inclusion proof of one record's entry."""
        return self._get(ProofOut, f"/index/entries/{record}/proof")

    # consents

    def prepare_consent(self, scope: Scope) -> PrepareOut:
        """Domain, nonce and recipients for a scope."""
        return self._post(PrepareOut, "/consents/prepare", {"scope": scope.to_document()})

    def preview(self, scope: Scope, in_force: Iterable[ConsentArtefact] = ()) -> PreviewOut:
        """What a scope would open."""
        body = {"scope": scope.to_document(), "artefacts": [a.to_json() for a in in_force]}
        return self._post(PreviewOut, "/consents/preview", body)

    def grant(self, scope: Scope, amends: str | None = None) -> tuple[ConsentArtefact, Accepted]:
        """Resident: sign, seal and submit a grant, or an amendment of ``amends``. The artefact is the caller's to keep."""
        prepared, old = self.prepare_consent(scope), to_bytes(amends) if amends else None
        if prepared.words != to_hex(scope.words()):
            raise ValueError("the gateway understood another scope than was asked for")
        recipients = {to_bytes(r.id): self._checked_key(scope, r) for r in prepared.recipients}
        made = artefacts.build(scope, self._own_key().private, to_bytes(prepared.domain), prepared.nonce, old=old)
        sealed = artefacts.seal(made, recipients)
        body = {"message": to_hex(made.message), "signature": to_hex(made.signature), "artefact": sealed}
        return made, self._post(Accepted, "/consents/amendments" if amends else "/consents", body)

    def _checked_key(self, scope: Scope, named: RecipientOut) -> bytes:
        """The key of a recipient the gateway named. Raises FalseRecipient."""
        id, public = to_bytes(named.id), to_bytes(named.publicKey, 64)
        if not self._may_open(scope, id):
            raise FalseRecipient(named.id, "the consent names nobody of this id")
        if id == scope.subject:
            known = crypto.sm2_public(self._own_key().private)
        elif self._own_node is None:
            return public
        elif id == scope.grantee.id and scope.grantee.type == "practitioner":
            known = self._own_node.now().practitioner(id).public
        else:
            known = self._own_node.now().organisation(id).public
        if known != public:
            raise FalseRecipient(named.id, "the key is not the one the ledger holds")
        return public

    def _may_open(self, scope: Scope, id: bytes) -> bool:
        if id in {scope.subject, scope.grantee.id, scope.grantee.organisation, *(scope.custodians or ())}:
            return True
        if scope.custodians is not None:
            return False
        if self._own_node is not None:
            member = self._own_node.now().organisation(id)
            return member.status == ACTIVE and member.has(CUSTODIAN)
        return any(o.id == to_hex(id) and o.custodian for o in self.organisations())

    def revoke(self, consent: str) -> Accepted:
        """Resident: take a consent back."""
        key, held = self._own_key(), self.call("GET", "/consents/nonce")
        message = ConsentRevoke(to_bytes(held["domain"]), to_bytes(key.id), to_bytes(consent), held["nonce"]).pack()
        body = {"message": to_hex(message), "signature": to_hex(crypto.sm2_sign(key.private, message))}
        return self._post(Accepted, "/consents/revocations", body)

    def consents(self, cursor: str | None = None) -> ConsentPage:
        """Resident: own consents."""
        return self._get(ConsentPage, "/consents", cursor=cursor)

    def received_consents(self, subject: str | None = None) -> ConsentPage:
        """Practitioner or organisation: consents sealed for the caller."""
        return self._get(ConsentPage, "/consents/received", subject=subject)

    def consent(self, consent: str) -> ConsentOut:
        """One consent."""
        return self._get(ConsentOut, f"/consents/{consent}")

    def open_artefact(self, consent: str, recipient: bytes | None = None) -> ConsentArtefact:
        """Fetch a sealed artefact and open it with the caller's key."""
        key = self._own_key()
        return artefacts.open_sealed(self.sealed_artefact(consent), recipient or to_bytes(key.id), key.private)

    def sealed_artefact(self, consent: str) -> dict[str, Any]:
        """A sealed artefact as it is kept: what gates are handed, and open with their own key."""
        return self._get(SealedArtefact, f"/consents/{consent}/artefact").model_dump()

    # access requests

    def ask(
        self,
        *,
        subject: str | None,
        purpose: str,
        reason: str,
        period: tuple[int, int],
        role: str = "physician",
        categories: Sequence[str] | None = None,
        fields: Sequence[Mapping[str, Any]] | None = None,
    ) -> RequestMade:
        """Practitioner: ask a resident; on site (for whoever scans) when ``subject`` is None."""
        me = self.who_am_i()
        document = {
            "kind": "healthtrust/access-request",
            "version": 1,
            "id": to_hex(secrets.token_bytes(32)),
            "subject": subject,
            "requester": me.practitioner,
            "organisation": me.organisation,
            "role": role,
            "purpose": purpose,
            "categories": list(categories) if categories is not None else "all",
            "fields": [dict(f) for f in fields] if fields is not None else "all",
            "period": {"start": period[0], "end": period[1]},
            "reason": reason,
            "mode": "remote" if subject else "on-site",
            "time": int(time.time()),
        }
        return self._post(RequestMade, "/access-requests", self._signed_document(document))

    def access_requests(self, status: str | None = None) -> RequestPage:
        """The caller's requests."""
        return self._get(RequestPage, "/access-requests", status=status)

    def access_request(self, id: str) -> RequestOut:
        """One request."""
        return self._get(RequestOut, f"/access-requests/{id}")

    def claim(self, id: str, code: str) -> RequestOut:
        """Resident: take a scanned request."""
        return self._post(RequestOut, f"/access-requests/{id}/claim", {"code": code})

    def answer(self, id: str, consent: str | None) -> Accepted:
        """Resident: permit with this consent, or refuse (None)."""
        document = {
            "kind": "healthtrust/access-answer",
            "version": 1,
            "request": id,
            "answer": "permit" if consent else "refuse",
            "consent": consent,
            "time": int(time.time()),
        }
        return self._post(Accepted, f"/access-requests/{id}/answer", self._signed_document(document))

    # emergencies

    def begin_emergency(self, scope: Scope, reason: str, minutes: int) -> EmergencyForSigners:
        """Practitioner: begin a reading without the resident; somebody else of the organisation has to confirm it."""
        seed, domain = secrets.token_bytes(32), to_bytes(self.ledger().domains["Access"])
        message = emergency.prepare(scope, seed, reason, minutes, domain).pack()
        signature = to_hex(crypto.sm2_sign(self._own_key().private, message))
        body = {"scope": scope.to_document(), "seed": to_hex(seed), "reason": reason, "minutes": minutes, "signature": signature}
        return self._post(EmergencyForSigners, "/emergencies", body)

    def confirm_emergency(self, begun: EmergencyForSigners) -> EmergencyForSigners:
        """Practitioner: sign as the second person; the organisation's gate puts it on the ledger (``opening``)."""
        signature = to_hex(crypto.sm2_sign(self._own_key().private, to_bytes(begun.message or "", None)))
        return self._post(EmergencyForSigners, f"/emergencies/{begun.id}/confirmation", {"signature": signature})

    def staff_emergencies(self) -> list[EmergencyForSigners]:
        """Practitioner: what waits for a second person, and what the caller signed."""
        return self._get(SignersPage, "/emergencies/staff").items

    def emergencies(self) -> EmergencyPage:
        """Resident: those about them. Auditor: all."""
        return self._get(EmergencyPage, "/emergencies")

    def review_emergency(self, id: str, outcome: str) -> Accepted:
        """Auditor: ``justified`` or ``unjustified``."""
        return self._post(Accepted, f"/emergencies/{id}/review", {"outcome": outcome})

    def _signed_document(self, document: dict[str, Any]) -> dict[str, Any]:
        signature = crypto.sm2_sign(self._own_key().private, canonical(document))
        return {"document": document, "salt": to_hex(secrets.token_bytes(32)), "signature": to_hex(signature)}

    # receipts, evidence, notices

    def hand_in_receipts(self, receipts: Iterable[tuple[str, bytes]]) -> ReceiptsTaken:
        """Custodian: receipts as (canonical text, salt)."""
        body = {"receipts": [{"receipt": text, "salt": to_hex(salt)} for text, salt in receipts]}
        return self._post(ReceiptsTaken, "/receipts", body)

    def receipts(self, **query: Any) -> ReceiptPage:
        """Who has read; ``subject``, ``custodian``, ``cursor``, ``limit``."""
        return self._get(ReceiptPage, "/receipts", **query)

    def life(self, identifier: str) -> LifeOut:
        """What is known of an identifier beside the ledger (auditors)."""
        return self._post(LifeOut, "/audit/lives", {"identifier": identifier})

    def evidence(self, cursor: str | None = None) -> EvidencePage:
        """What the caller caused."""
        return self._get(EvidencePage, "/evidence", cursor=cursor)

    def notices(self, unread: bool = False) -> NoticePage:
        """The caller's notices."""
        return self._get(NoticePage, "/notices", unread=unread)

    def mark_read(self, id: str) -> NoticeOut:
        """A notice is read."""
        return self._post(NoticeOut, f"/notices/{id}/read")


def _dump(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def _result(answer: httpx.Response) -> Any:
    if answer.is_success:
        return json.loads(answer.content) if answer.content else None
    try:
        document = json.loads(answer.content)
    except ValueError:
        document = {}
    raise GatewayProblem(answer.status_code, document if isinstance(document, dict) else {})


def _await(ask: Any, seconds: float) -> OperationOut:
    until = time.monotonic() + seconds
    while True:
        left = max(0.0, until - time.monotonic())
        found: OperationOut = ask(min(20.0, left))
        if found.state == "succeeded":
            return found
        if found.state == "failed":
            raise GatewayProblem(0, {"code": found.reason or "failed", "detail": found.detail})
        if time.monotonic() >= until:
            raise TimeoutError(f"operation {found.id} is still {found.state}")
