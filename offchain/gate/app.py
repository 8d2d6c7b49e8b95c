"""The release gate of one custodian as an ASGI application (docs/services.md, gate REST)."""

from __future__ import annotations

import asyncio
import base64
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import orjson
import segno
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from core import crypto
from core.hexes import to_hex
from core.ids import organisation_id
from core.vocabulary import category_code
from core.words import kind_word, word
from gateway import logs
from gateway.heap import collect_rarely
from gateway.keyring import load_or_create
from gateway.ledger.factory import open_ledger
from gateway.ledger.port import Ledger
from gateway.settings import GateSettings, Settings
from offchain import standards
from offchain.anchor import Anchorer
from offchain.bundle import completion, served
from offchain.database import custodian_sessions, open_engine
from offchain.gate.admission import Admission, Admitted, Incoming
from offchain.gate.crosscheck import CrossCheck, StopSwitch
from offchain.gate.custody import Custody
from offchain.gate.deciding import Answered, Decider
from offchain.gate.emergencies import emergency_wish, open_emergency
from offchain.gate.http import Answer, SignedRoute, no_route
from offchain.gate.keeper import Keeper, Leadership, Publisher
from offchain.gate.limits import Limits
from offchain.gate.onsite import onsite_payload
from offchain.gate.opening import Artefacts
from offchain.gate.publishing import GatewayPublisher
from offchain.gate.reading import Parts, Reader, Served, Step
from offchain.gate.refusals import NotYours
from offchain.gate.spending import LedgerSpender, LedgerWriter
from offchain.gate.view import Caller, LedgerSilent, LedgerView
from offchain.gate.vouching import key_statement, keys_wish
from offchain.gate.watched import WatchedLedger
from offchain.gate.writer import ReceiptWriter
from offchain.receipts import ReceiptLog
from offchain.rotation import open_envelope
from offchain.stores.files import FileStore
from offchain.stores.memory import MemoryStore
from offchain.stores.port import Store

PREFIX = "/gate/v1"
RECEIPTS = 2**53
"""More than any store numbers, and no more than a database takes."""
STOP_KIND = kind_word("healthtrust/gate-stop/v1")


@dataclass(frozen=True)
class Options:
    """What tests and special set-ups replace. ``clock``: UTC seconds; ``ticks``: seconds that never go back, for rates; ``step``:
    told where a reading is; ``confirm``: see :class:`Keeper`."""

    clock: Callable[[], float] = time.time
    ticks: Callable[[], float] = time.monotonic
    step: Step = lambda _name: None
    confirm: Callable[[], bool] | None = None
    publisher: Publisher | None = None
    store: Store | None = None


class Gate:
    """One custodian's gate: everything it works with, opened and wired."""

    def __init__(self, settings: Settings, code: str, ledger: Ledger | None = None, options: Options | None = None) -> None:
        """Raises ReceiptsDamaged when the receipts' tail does not fit, LedgerError when the ledger is not the one deployed."""
        self.settings = settings
        self.own: GateSettings = settings.gate(code)
        self.options = options or Options()
        ring = load_or_create(settings.path("custodians", code, "keys.json"), code)
        self.ledger = WatchedLedger(ledger or open_ledger(settings, bytes.fromhex(ring.evm)))
        self.id = organisation_id(code)
        self.private = bytes.fromhex(ring.sm2)
        self.public = crypto.sm2_public(self.private)
        self.log = ReceiptLog(open_engine(_receipts_url(settings, code)), self.id, lambda m: crypto.sm2_sign(self.private, m))
        self.switch = StopSwitch(settings.path("custodians", code, "STOPPED"))
        policy, clock = settings.policy, self.options.clock
        sessions = custodian_sessions(settings.custodian_database(code))
        self.publisher = self.options.publisher or GatewayPublisher(settings.gateway.public_url, self.id, self.private)
        self.keeper = Keeper(
            self.log,
            sessions,
            self.ledger,
            Leadership(settings.path("custodians", code, "keeper.lock")),
            self.publisher,
            self.options.confirm or self._gateway_ready,
            clock,
        )
        self.view = LedgerView(self.ledger, self.id, clock, settings.ledger.max_head_age_seconds, policy.clock_skew_seconds)
        self.writer = ReceiptWriter(self.log)
        self.limits = Limits(policy, self.options.ticks)
        self.admission = Admission(self.view, policy, self.limits, clock, settings.forgotten_before())
        self.custody = self._custody()
        self.crosscheck = CrossCheck(self.ledger, self.view, policy.contract_check_share, self.switch, self._stop)
        self.decider = Decider(
            store=self.id,
            view=self.view,
            admission=self.admission,
            writer=self.writer,
            crosscheck=self.crosscheck,
            documents=standards.by_id,
            stopped=self._stopped,
            skew=policy.clock_skew_seconds,
        )
        self.ledger_writer = LedgerWriter(sessions, self.ledger, self.view, settings.ledger.timeout_seconds)
        self.reader = Reader(
            Parts(
                store=self.id,
                view=self.view,
                admission=self.admission,
                artefacts=Artefacts(self.id, self.private, [bytes.fromhex(key) for key in ring.former]),
                custody=self.custody,
                documents=standards.by_id,
                writer=self.writer,
                spender=LedgerSpender(self.ledger_writer),
                crosscheck=self.crosscheck,
                stopped=self._stopped,
                clock=clock,
                skew=policy.clock_skew_seconds,
                step=self.options.step,
            )
        )

    async def read(self, incoming: Incoming, _scope: Scope) -> Answer:
        """``POST /records/read``."""
        reading = await self.reader.read(incoming)
        return orjson.dumps(read_answer(reading, self.public)), reading.receipt.number

    async def list(self, incoming: Incoming, _scope: Scope) -> Answer:
        """``POST /records/list``."""
        listed = await self.reader.list(incoming)
        return orjson.dumps({"entries": listed.entries, "next": listed.next, "receipt": listed.receipt}), listed.receipt

    async def decide(self, incoming: Incoming, _scope: Scope) -> Answer:
        """``POST /decisions``."""
        return orjson.dumps(decisions_answer(await self.decider.decide(incoming))), None

    async def receipt(self, incoming: Incoming, scope: Scope) -> Answer:
        """``GET /receipts/{number}/bundle``: for the one who read and the resident concerned."""
        caller = await self._once(incoming)
        number = scope["path_params"]["number"]
        receipt = await self.writer.get(number) if number < RECEIPTS else None
        if receipt is None or not _concerns(orjson.loads(receipt.json), caller):
            raise NotYours
        found = await asyncio.to_thread(self.log.anchor, receipt.number)
        anchor = None if found is None or found[0].number is None else (found[0].number, found[1])
        height = found[0].height if found else None
        added = await self.view.call(lambda: completion(self.ledger, receipt, anchor, height))
        return orjson.dumps(added), None

    async def onsite(self, incoming: Incoming, _scope: Scope) -> Answer:
        """``POST /onsite``: what the doctor shows and the resident scans."""
        caller = await self._once(incoming)
        text, payload = onsite_payload(incoming.body, caller, self.id, self.settings.gateway.public_url, self.options.clock())
        svg = io.BytesIO()
        segno.make(text, error="m").save(svg, kind="svg", scale=6, border=4)
        picture = "data:image/svg+xml;base64," + base64.b64encode(svg.getvalue()).decode()
        return orjson.dumps({"payload": payload, "text": text, "qr": picture}), None

    async def keys(self, incoming: Incoming, _scope: Scope) -> Answer:
        """``POST /keys``: whose keys these are on our own node, signed by this custodian."""
        wish = keys_wish(incoming.body)
        await self._once(incoming)
        head = await self.view.head()
        statement: bytes = await self.view.call(lambda: key_statement(self.ledger, self.id, head, wish))
        signature = to_hex(crypto.sm2_sign(self.private, statement))
        return orjson.dumps({"statement": statement.decode(), "signature": signature}), None

    async def emergency(self, incoming: Incoming, _scope: Scope) -> Answer:
        """``POST /emergencies``: two of our own people open one on the ledger."""
        wish = emergency_wish(incoming.body)
        admitted = await self._admitted(incoming)
        ours = admitted.standing is not None and admitted.standing.organisation == self.id
        return orjson.dumps(await open_emergency(wish, admitted.caller, ours, self.ledger_writer)), None

    async def health(self) -> tuple[int, dict[str, Any]]:
        """Status code and document: green only when a read could be served now."""
        try:
            head = await self.view.head()
        except LedgerSilent as e:
            return 503, {"status": e.code}
        # Open to the world: how many receipts there are would tell how busy a hospital is, read by read.
        doc = {"head": head.height, "store": f"0x{self.id.hex()}", "publicKey": f"0x{self.public.hex()}"}
        if self.switch.is_set():
            return 503, {"status": "gate_stopped", **doc}
        return (200, {"status": "ok", **doc}) if self.keeper.checked else (503, {"status": "starting", **doc})

    def close(self) -> None:
        """Finish what is being written."""
        self.writer.close()
        self.view.close()
        self.keeper.close()
        self.custody.close()
        self.publisher.close()

    async def _once(self, incoming: Incoming) -> Caller:
        return (await self._admitted(incoming)).caller

    async def _admitted(self, incoming: Incoming) -> Admitted:
        """Admit a caller whose request is recorded only by its nonce: it hands out nothing of anybody's record."""
        admitted = await self.admission.admit(incoming, None)
        if admitted.silent is not None:
            raise admitted.silent
        await self.reader.claim(admitted)
        return admitted

    def _custody(self) -> Custody:
        code = self.own.code
        folder = self.settings.path("custodians", code, "records").parent
        store = self.options.store or (MemoryStore() if self.own.store == "memory" else FileStore(folder / "records"))
        sessions = custodian_sessions(self.settings.custodian_database(code))
        engine, envelope = sessions.kw["bind"], open_envelope(folder / "keys.json", code)
        return Custody(self.id, engine, store, envelope, Anchorer(self.id, sessions, folder / "trees"))

    def _stopped(self) -> bool:
        return not self.keeper.checked or self.switch.is_set()

    def _stop(self, written: bytes) -> None:
        self.keeper.record_evidence(STOP_KIND, crypto.sm3(written))

    def _gateway_ready(self) -> bool:
        try:
            with httpx.Client(timeout=3.0, trust_env=False) as client:
                return client.get(f"{self.settings.gateway.public_url}/api/v1/ready").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


class Application(Starlette):
    """The gate's routes, those that are paid for by each reading past Starlette's own layers: ``direct``, by method and path,
    answers its errors itself."""

    def __init__(self, direct: Mapping[tuple[str, str], ASGIApp], **given: Any) -> None:
        super().__init__(**given)
        self._direct = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or start and stop."""
        direct = self._direct.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        await (super().__call__ if direct is None else direct)(scope, receive, send)


def create_app(settings: Settings, code: str, ledger: Ledger | None = None, options: Options | None = None) -> Starlette:
    """The application of the custodian with this code; ``app.state.gate`` is its :class:`Gate`. Nothing but CORS stands before a
    signed request: every layer more is paid for by each reading."""
    logs.configure(settings.log_level)
    gate = Gate(settings, code, ledger, options)
    origins = [settings.gateway.public_url, *settings.web_origins]
    cors = partial(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=["*"], max_age=600)
    routes = _routes(gate)
    fixed = [route for route in routes if isinstance(route.endpoint, SignedRoute) and "{" not in route.path]
    app = Application(
        {(method, route.path): cors(route.endpoint) for route in fixed for method in route.methods or ()},
        routes=routes,
        middleware=[Middleware(cors)],
        lifespan=_lifespan(gate),
        exception_handlers={HTTPException: no_route},
    )
    # A slash too many is no path of ours: a redirect would name the host that the caller wrote into its request.
    app.router.redirect_slashes = False
    app.state.gate = gate
    return app


def _routes(gate: Gate) -> list[Route]:
    base, delivered = gate.own.public_url.rstrip("/"), gate.log.mark_delivered
    handlers: list[tuple[str, str, Callable[[Incoming, Scope], Awaitable[Answer]]]] = [
        ("POST", "/records/read", gate.read),
        ("POST", "/records/list", gate.list),
        ("POST", "/decisions", gate.decide),
        ("GET", "/receipts/{number:int}/bundle", gate.receipt),
        ("POST", "/onsite", gate.onsite),
        ("POST", "/keys", gate.keys),
        ("POST", "/emergencies", gate.emergency),
    ]

    async def health(_: Request) -> Response:
        """Open: whether this gate would serve now."""
        status, doc = await gate.health()
        return Response(orjson.dumps(doc), status, media_type="application/json")

    signed = [
        Route(PREFIX + path, SignedRoute(base, handle, delivered, gate.limits.address), methods=[method])
        for method, path, handle in handlers
    ]
    return [*signed, Route(f"{PREFIX}/health", health)]


def read_answer(reading: Served, custodian_key: bytes) -> dict[str, Any]:
    """The body of a served read."""
    disclosure, held = reading.opened.disclosure, reading.opened.held
    bundle = served(reading, custodian_key)
    record = {name: bundle["record"][name] for name in ("id", "custodian", "subject")}
    record |= {"schema": bundle["record"]["disclosure"]["schema"], "version": held.version, "recordedAt": held.recorded_at}
    return {
        "record": {**record, "category": category_code(held.category), "elements": bundle["record"]["disclosure"]["values"]},
        "withheld": sorted(disclosure.hashes),
        "decision": bundle["decision"],
        "bundle": bundle,
    }


def decisions_answer(answered: Answered) -> dict[str, Any]:
    """The body of answered decisions."""
    head = answered.head
    said = [{"outcome": d.outcome.text, "reason": d.reason.text, "fields": to_hex(word(d.fields))} for d in answered.decisions]
    return {"block": {"height": head.height, "hash": to_hex(head.hash), "time": head.time}, "decisions": said}


def _concerns(receipt: dict[str, Any], caller: Caller) -> bool:
    """Whether this is the one who read, or the resident. A practitioner and a resident are told apart even if their ids were
    the same."""
    if caller.kind == "subject":
        return bool(receipt["subject"] == to_hex(caller.id))
    return bool(receipt["requester"] == to_hex(caller.id) and receipt["requester"] != receipt["subject"])


def _lifespan(gate: Gate) -> Callable[[Starlette], Any]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(gate.keeper.once)
        collect_rarely()
        keeping = asyncio.create_task(gate.keeper.run(gate.settings.policy.receipt_delay_seconds))
        yield
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        gate.close()

    return lifespan


def _receipts_url(settings: Settings, code: str) -> str:
    """The receipts' own SQLite file, so that a long import never makes a reader wait; on PostgreSQL the custodian's database."""
    url = settings.custodian_database(code)
    return f"sqlite:///{settings.path('custodians', code, 'receipts.db')}" if url.startswith("sqlite") else url
