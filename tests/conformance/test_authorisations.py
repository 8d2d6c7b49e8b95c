"""C121: the same consents and indexes on two ledgers give the same hash of what is authorised."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from core import artefact, crypto
from core.authorisations import Authorisations
from mirror.authorisations import standing
from mirror.database import Database
from mirror.loop import Follower
from tests.conformance.test_consent import spend
from tests.support.chains import DoubleChain
from tests.support.world import Chain, Resident, World, build_world, grant_call

START, END = 1_700_000_000, 4_000_000_000
RESIDENT = Resident(crypto.sm3(b"resident"), crypto.sm2_generate())


def consented(world: World, name: str, uses: int = 0) -> artefact.ConsentArtefact:
    """A consent whose every word is fixed but the signature, which covers the ledger it is for."""
    scope = world.scope(RESIDENT, world.hospital, start=START, end=END, uses=uses)
    salt, seed = crypto.sm3(b"salt" + name.encode()), crypto.sm3(b"seed" + name.encode())
    private, domain, nonce = RESIDENT.keys.private, world.domain("Consent"), world.consent_nonce(RESIDENT)
    made = artefact.build(scope, private, domain, nonce, salt=salt, seed=seed)
    world.send((world.operator, grant_call(made)))
    return made


def authorised(chain: Chain, home: Path) -> Authorisations:
    """The scenario, followed by a mirror of its own."""
    world = build_world(chain)
    with closing(world), closing(Database(f"sqlite:///{home / chain.kind}.db")) as database:
        world.send((world.operator, world.binding(RESIDENT)))
        consented(world, "stays")
        limited = consented(world, "limited", uses=3)
        world.send((world.hospital, spend(limited, 1)))
        world.revoke(RESIDENT, consented(world, "revoked").consent)
        world.anchor(world.hospital, crypto.sm3(b"first"), 7)
        world.anchor(world.hospital, crypto.sm3(b"second"), 5)
        world.anchor(world.platform, crypto.sm3(b"other"), 2)
        Follower(world.ledger, database, depth=64).catch_up()
        return standing(database).authorised


def test_c121_two_ledgers_authorise_the_same(real_chain: Chain, tmp_path: Path) -> None:
    double, real = authorised(DoubleChain(), tmp_path), authorised(real_chain, tmp_path)
    assert (real.consents, real.indexes) == (2, 2)
    assert double.digest == real.digest
