"""A custodian of the test alliance with records in its store, and its gate, for the gate's tests and bench."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.orm import Session
from starlette.applications import Starlette

from core import artefact as artefacts
from core.artefact import ConsentArtefact
from core.record import RecordTree
from core.vocabulary import CATEGORIES
from gateway.ledger import outbox
from gateway.ledger.db import writing
from gateway.settings import Settings
from offchain import standards
from offchain.anchor import Anchorer
from offchain.client import GateClient, Signer, practitioner, resident
from offchain.database import custodian_sessions
from offchain.envelope import Envelope
from offchain.gate.app import Gate, Options, create_app
from offchain.intake.writer import Batch as Rows
from offchain.intake.writer import Version, Writer
from offchain.receipts import Batch
from offchain.repository import Content, pack
from offchain.stores.files import FileStore
from tests.support.world import Organisation, Practitioner, Resident, World

CODE = "TEST-SZXYY"
OFTEN = 10_000_000
"""Requests a minute: tests and benches of other things meet no limit."""
URL = "http://gate.test"
LABORATORY = standards.by_code("laboratory-result")
VALUES = {
    "code": {"system": "http://loinc.org", "code": "4548-4"},
    "name": "糖化血红蛋白",
    "value": 6.4,
    "unit": "%",
    "time": "2026-03-02",
}


@dataclass(frozen=True)
class Stored:
    """A record in the custodian's store. ``values``: by element number as text."""

    record: bytes
    subject: bytes
    schema: bytes
    category: str
    values: dict[str, Any]
    tree: RecordTree


class GateKit:
    """The hospital of a :class:`World` with home directory, store, index and gate."""

    def __init__(self, world: World, home: Path, url: str = URL, **settings: Any) -> None:
        self.world = world
        self.organisation: Organisation = world.hospital
        self.home = home
        folder = home / "custodians" / CODE
        folder.mkdir(parents=True)
        self.wrap = secrets.token_hex(16)
        self._write_keys(folder / "keys.json")
        gates = [{"code": CODE, "name": "测试医院", "public_url": url, "port": 18091}]
        self.settings = Settings(home=home, gates=gates, **settings)
        self.settings.policy.signer_requests_per_minute = self.settings.policy.address_requests_per_minute = OFTEN
        self.sessions = custodian_sessions(self.settings.custodian_database(CODE))
        self.store = FileStore(folder / "records")
        self.envelope = Envelope(bytes.fromhex(self.wrap))
        self.anchorer = Anchorer(self.organisation.id, self.sessions, folder / "trees")
        self._writer = Writer(self.sessions, self.store, self.envelope, "test", 1)

    def put(self, owner: Resident, code: str = "laboratory-result", values: dict[str, Any] | None = None) -> Stored:
        """Store one record; not anchored yet."""
        return self.put_many([(owner.subject, code, VALUES if values is None else values)])[0]

    def put_many(self, rows: list[tuple[bytes, str, dict[str, Any]]]) -> list[Stored]:
        """Store records."""
        made = [_stored(*row) for row in rows]
        now = int(time.time())
        versions = [_version(m, now) for m in made]
        self._writer.write(Rows(versions), now)
        return made

    def put_others(self, count: int) -> None:
        """Store so many records of other people that nobody will read: their fingerprints are random."""
        if not count:
            return
        plain, now = pack(Content(secrets.token_bytes(32), {})), int(time.time())
        ids = [secrets.token_bytes(32) for _ in range(count)]
        self._writer.write(Rows([Version(i, 1, i, i, 3, i, bytes(32), now, i, plain, before=False) for i in ids]), now)

    def anchor(self) -> None:
        """Put everything stored under roots on the ledger."""
        waiting = self.anchorer.batch()
        deadline = time.monotonic() + 120
        while waiting > 0:
            assert time.monotonic() < deadline, "not anchored within 120 s"
            outbox.work(self.sessions, self.organisation.ledger)
            waiting -= self.anchorer.settle()
            time.sleep(0.02)

    def sealed(self, consent: ConsentArtefact) -> dict[str, Any]:
        """The artefact as it travels, sealed for the hospital."""
        return artefacts.seal(consent, {self.organisation.id: self.organisation.sm2.public})

    @contextmanager
    def changing(self) -> Iterator[Session]:
        """Somebody with the database's password."""
        with self.sessions.begin() as session:
            writing(session)
            yield session

    @contextmanager
    def serve(self, options: Options | None = None) -> Iterator[Serving]:
        """The gate, started; the ledger is the hospital's own."""
        options = options or Options()
        app = create_app(
            self.settings, CODE, self.organisation.ledger, replace(options, publisher=options.publisher or Bulletin())
        )
        bridge = Bridge(app)
        with httpx.Client(transport=bridge) as http:
            yield Serving(self, app.state.gate, http)

    def _write_keys(self, path: Path) -> None:
        keys = {
            "evm": self.organisation.key.hex(),
            "sm2": self.organisation.sm2.private.hex(),
            "wrap": self.wrap,
            "ids": "22" * 32,
        }
        path.write_text(json.dumps({"kind": "healthtrust/keyring", "version": 1, "name": CODE, **keys}))
        path.chmod(0o600)


class Bulletin:
    """Stands where the gateway takes receipts."""

    def __init__(self) -> None:
        self.open = True
        self.taken: list[str] = []

    def publish(self, batch: Batch, rows: Sequence[Any]) -> bool:
        if self.open:
            self.taken += [r.json for r in rows]
        return self.open

    def close(self) -> None:
        self.open = False


class Bridge(httpx.BaseTransport):
    """An application in an event loop of its own, for callers without one."""

    def __init__(self, app: Starlette) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        self._lifespan = app.router.lifespan_context(app)
        self._run(self._lifespan.__aenter__())

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        status, headers, content = self._run(self._forward(request))
        return httpx.Response(status, headers=headers, content=content)

    def close(self) -> None:
        self._run(self._lifespan.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _forward(self, request: httpx.Request) -> tuple[int, httpx.Headers, bytes]:
        forwarded = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        response = await self._transport.handle_async_request(forwarded)
        return response.status_code, response.headers, await response.aread()

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)


@dataclass
class Serving:
    """A running gate and callers of it."""

    kit: GateKit
    gate: Gate
    http: httpx.Client

    def as_doctor(self, doctor: Practitioner) -> GateClient:
        return self.by(practitioner(doctor.id, doctor.keys.private))

    def as_resident(self, person: Resident) -> GateClient:
        return self.by(resident(person.subject, person.keys.private))

    def by(self, signer: Signer) -> GateClient:
        """A client with the gate's own clock."""
        return GateClient(URL, signer, self.http, self.gate.options.clock)

    def receipts(self) -> list[dict[str, Any]]:
        """All receipts, oldest first, after the chain was checked."""
        self.gate.log.check()
        return [json.loads(r.json) for r in self.gate.log.rows(0, 1_000_000)]


def _stored(subject: bytes, code: str, values: dict[str, Any]) -> Stored:
    kind = standards.by_code(code)
    numbered = kind.number(values)
    tree = RecordTree(kind.id, kind.element_count, numbered, secrets.token_bytes(32))
    every = {str(n): numbered.get(n) for n in range(1, kind.element_count + 1)}
    return Stored(secrets.token_bytes(32), subject, kind.id, CATEGORIES.by_number(kind.category).code, every, tree)


def _version(s: Stored, now: int) -> Version:
    plain = pack(Content(s.tree.record_salt, dict(s.tree.values)))
    category = CATEGORIES.by_code(s.category).n
    return Version(s.record, 1, s.subject, s.schema, category, s.tree.commitment, bytes(32), now, bytes(32), plain, False)
