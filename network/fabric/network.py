"""The Fabric network as a whole: make, start, break, heal, and change its members."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import TracebackType

from cryptography.hazmat.primitives.asymmetric import ec

from network import ports
from network.binaries import built
from network.fabric import channel, health, layout, lifecycle, nodes
from network.fabric.authority import Authority, Role
from network.fabric.layout import HOST, Consensus, Layout, Orderer, Organisation
from network.fabric.lifecycle import Definition
from network.fabric.tools import passing
from network.kinds import NetworkStatus, PartStatus
from network.processes import NetworkError, Processes, alone

READY_SECONDS = 180.0


class FabricNetwork:
    """A Fabric network under one home directory (``network.kinds.Network``).

    ``organisations`` and ``consensus`` (Raft with 3 orderers, or the Byzantine fault tolerant SmartBFT with 4) count when the
    home is new; afterwards the home knows. ``chaincode``: the program of the chaincode server (default: the one built here).
    ``attached``: the processes end with the one that started them.
    """

    def __init__(
        self,
        home: Path,
        organisations: int = 3,
        consensus: Consensus = "raft",
        *,
        channel: str = "health",
        chaincode: Path | None = None,
        attached: bool = True,
    ) -> None:
        self.home = home.absolute()
        self._wanted = (organisations, consensus, channel)
        self.chaincode = chaincode
        self._processes = Processes(self.home, attached)
        self._ports: ports.Claim | None = None

    @property
    def layout(self) -> Layout:
        """What the network consists of. Raises NetworkError when there is none under this home."""
        found = layout.load(self.home)
        if found is None:
            raise NetworkError(f"there is no Fabric network under {self.home}: start one first")
        return found

    @property
    def profile(self) -> Path:
        """The connection profile (shape: the package's docstring)."""
        return self.home / "profile.json"

    @property
    def ready(self) -> Path:
        """There while the process that runs the network in the foreground (``python -m network.fabric``) has it whole."""
        return self.home / "ready"

    def gone(self) -> list[str]:
        """Parts that should run and do not."""
        return [part for part in self.parts() if not self._processes.pid(part)]

    def start(self) -> None:
        """Make the network if the home is new, start every part, and wait until it is whole. Raises NetworkError, BinaryError."""
        with self._alone():
            if layout.load(self.home) is None:
                self._make()
            elif self._ports is None:
                self._ports = ports.claim_again(self.layout.first_port)
            self._settle()

    def stop(self) -> None:
        """End every process in order."""
        self._processes.stop(self._processes.running())
        if self._ports is not None:
            self._ports.release()
            self._ports = None

    def __enter__(self) -> FabricNetwork:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def kill(self, *parts: str) -> None:
        """SIGKILL parts, all at once. ``leader`` is whichever orderer leads now. Raises NetworkError for an unknown name."""
        known = self.parts()
        named = [self.leader() if part == "leader" else part for part in parts]
        for name in named:
            if name not in known:
                raise NetworkError(f"no part {name}; there are {', '.join(known)}")
        self._processes.kill(named)

    def heal(self) -> None:
        """Bring what runs in line with what should: processes, members of the channel, packages, approvals. Raises NetworkError
        when that does not succeed within a few minutes."""
        with self._alone():
            self._settle()

    def status(self) -> NetworkStatus:
        """What runs, and how far it is."""
        plan = self.layout
        with ThreadPoolExecutor(8) as pool:
            orderers = list(pool.map(self._orderer_status, plan.orderers))
            peers = list(pool.map(self._peer_status, plan.organisations))
            known = list(pool.map(lambda o: health.known_peers(o, plan.channel), plan.organisations))
        services = [self._part(o.chaincode, "chaincode", o.chaincode_address, None) for o in plan.organisations]
        parts = [*orderers, *peers, *services]
        heights = {part["height"] for part in (*orderers, *peers)}
        led = plan.consensus == "bft" or sum(part["role"] == "leader" for part in orderers) == 1
        whole = all(part["pid"] for part in parts) and len(heights) == 1 and None not in heights
        met = all(count >= len(peers) - 1 for count in known)
        return {"kind": "fabric", "consensus": plan.consensus, "ready": led and whole and met, "parts": parts}

    def leader(self) -> str:
        """The name of the orderer that leads (SmartBFT: that made the newest block). Raises NetworkError when none does."""
        for orderer in self._live_orderers():
            if health.leads(orderer, self.layout.channel):
                return orderer.name
        raise NetworkError("no orderer leads right now")

    def issue(self, msp: str, name: str, key: ec.EllipticCurvePublicKey, role: Role = "client") -> bytes:
        """The certificate (PEM) of an account of a member organisation, for a P-256 key that its holder keeps."""
        for organisation in self.layout.organisations:
            if organisation.msp == msp:
                return Authority(organisation.folder, msp).issue(name, key, role)
        raise NetworkError(
            f"no organisation with the MSP id {msp}; there are {', '.join(o.msp for o in self.layout.organisations)}"
        )

    def commit_chaincode(self, name: str) -> None:
        """Put a chaincode definition on the channel: approved by every member that runs, committed, and known to every Gateway.
        Does nothing when it is there; when the program has changed since, the name goes on with its state under a new definition.
        Raises NetworkError."""
        members = self._live_members()
        definition = lifecycle.wanted(self.layout, members[0], name, lifecycle.version_of(self._program()))
        self._approve([definition])
        self._insist(f"{name} is committed", lambda: lifecycle.commit(self.layout, members, definition, self._orderer()))
        for member in members:
            self._wait(f"{member.peer} finds endorsers of {name}", partial(lifecycle.endorsers_found, self.layout, member, name))

    def add_organisation(self, name: str) -> None:
        """Let one more organisation in while the network runs, or one that was put out back in: a majority of members signs, its
        peer joins and catches up. Raises NetworkError when the name cannot be taken."""
        with self._alone():
            self.layout.with_organisation(name).save()
            self._settle()

    def remove_organisation(self, name: str) -> None:
        """Put an organisation out while the network runs; a majority of all members, without its own vote, must stay. Its home is
        kept. Raises NetworkError."""
        with self._alone():
            plan = self.layout
            leaving, staying = plan.organisation(name), plan.without_organisation(name)
            members = len(plan.organisations)
            if members - 1 <= members // 2:
                raise NetworkError(f"{name} cannot be put out: a majority of the {members} members must agree")
            staying.save()
            self._processes.stop([leaving.peer, leaving.chaincode])
            self._settle()

    # ------------------------------------------------------------------------------------------------- making
    def _alone(self) -> AbstractContextManager[None]:
        """Two commands at once do not mend the same thing."""
        return alone(self.home / "changes.lock")

    def _make(self) -> None:
        count, consensus, name = self._wanted
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._ports = ports.claim()
        plan = Layout(self.home, name, consensus, self._ports.first, {})
        for number in range(1, count + 1):
            plan = plan.with_organisation(f"org{number}")
        for orderer in plan.orderers:
            Authority(orderer.folder, orderer.msp).make().enrol("node", "orderer", HOST)
        plan.save()

    def _enrol(self, organisation: Organisation) -> None:
        authority = Authority(organisation.folder, organisation.msp).make()
        authority.enrol("peer", "peer", HOST)
        authority.enrol("admin", "admin", HOST)
        authority.enrol("chaincode", "client", HOST)
        lifecycle.write_package(organisation)

    @property
    def _first_block(self) -> Path:
        return self.home / "first.block"

    def _write_profile(self) -> None:
        plan = self.layout
        content = {
            "kind": "healthtrust/fabric-profile",
            "version": 1,
            "channel": plan.channel,
            "consensus": plan.consensus,
            "organisations": [_described(o) for o in plan.organisations],
            "orderers": [
                {"name": o.name, "msp": o.msp, "address": o.address, "tls_root": _root(o.folder, o.msp, "tls")}
                for o in plan.orderers
            ],
        }
        layout.write_whole(self.profile, json.dumps(content, indent=1).encode())

    # ------------------------------------------------------------------------------------------------- starting
    def _settle(self) -> None:
        for organisation in self.layout.organisations:
            self._enrol(organisation)
        channel.write_first_block(self.layout, self._first_block)
        self._write_profile()
        self._start_orderers()
        self._settle_members()
        self._start_organisations()
        self._wait("the network is in step", lambda: self.status()["ready"], self.parts())
        self._approve(lifecycle.committed(self.layout, self._live_members()[0]).values())

    def _start_orderers(self) -> None:
        plan = self.layout
        block = self._first_block.read_bytes()
        for orderer in plan.orderers:
            self._processes.start(nodes.orderer_program(orderer))
        for orderer in plan.orderers:
            self._wait(f"{orderer.name} answers", partial(health.answers, orderer), [orderer.name])
            if health.orderer_height(orderer, plan.channel) is None:
                refused = health.join(orderer, block)
                if refused:
                    raise NetworkError(f"{orderer.name} does not join the channel: {refused}")
        self._wait("an orderer leads", self._led, [o.name for o in plan.orderers])

    def _led(self) -> bool:
        """Whether somebody leads. With SmartBFT that shows only in the next block, so it is not waited for."""
        return self.layout.consensus == "bft" or any(health.leads(o, self.layout.channel) for o in self._live_orderers())

    def _settle_members(self) -> None:
        """Make the channel's members those of the layout."""
        plan, orderer = self.layout, self._orderer()
        present = channel.members(plan, orderer)
        for organisation in plan.organisations:
            if organisation.msp not in present:
                channel.add_member(plan, organisation, orderer)
        wanted = {organisation.msp for organisation in plan.organisations}
        for msp in present - wanted:
            channel.remove_member(plan, msp, orderer)

    def _start_organisations(self) -> None:
        plan = self.layout
        program = self._program()
        for organisation in plan.organisations:
            self._processes.start(nodes.chaincode_program(organisation, program, lifecycle.package_id(organisation)))
            self._processes.start(nodes.peer_program(plan, organisation))
        with ThreadPoolExecutor(len(plan.organisations)) as pool:
            list(pool.map(self._bring_in, plan.organisations))

    def _bring_in(self, organisation: Organisation) -> None:
        """Wait for a peer; let it join the channel and hold its package, as far as it does not."""
        self._wait(f"{organisation.peer} answers", partial(lifecycle.answers, organisation), [organisation.peer])
        lifecycle.join(organisation, self.layout.channel, self._first_block)
        lifecycle.install(organisation)

    def _approve(self, definitions: Iterable[Definition]) -> None:
        """Let every running member approve definitions; members at once, because each waits for a block."""
        plan, members, asked = self.layout, self._live_members(), list(definitions)

        def all_of(member: Organisation) -> None:
            for definition in asked:
                what = f"{member.name} approves {definition.name}"
                self._insist(what, partial(self._approve_one, plan, member, definition))

        with ThreadPoolExecutor(len(members)) as pool:
            list(pool.map(all_of, members))

    def _approve_one(self, plan: Layout, member: Organisation, definition: Definition) -> None:
        lifecycle.approve(plan, member, definition, self._orderer())

    def _program(self) -> Path:
        return self.chaincode or built("chaincode")

    # ------------------------------------------------------------------------------------------------- looking
    def parts(self) -> list[str]:
        """Names of all processes of the network."""
        plan = self.layout
        return [*(o.name for o in plan.orderers), *(part for o in plan.organisations for part in (o.peer, o.chaincode))]

    def _live_orderers(self) -> list[Orderer]:
        return [o for o in self.layout.orderers if self._processes.pid(o.name)]

    def _live_members(self) -> list[Organisation]:
        """Members whose peer and chaincode run. Raises NetworkError when there is none."""
        live = [o for o in self.layout.organisations if self._processes.pid(o.peer) and self._processes.pid(o.chaincode)]
        if not live:
            raise NetworkError("no organisation's peer runs: start the network first")
        return live

    def _orderer(self) -> Orderer:
        """The orderer to send to: the leader where it is known, because others only pass on. Raises NetworkError when none
        runs."""
        live = self._live_orderers()
        if not live:
            raise NetworkError("no orderer runs: start the network first")
        return next((o for o in live if health.leads(o, self.layout.channel)), live[0])

    def _orderer_status(self, orderer: Orderer) -> PartStatus:
        name = self.layout.channel
        role = "leader" if health.leads(orderer, name) else "orderer"
        return self._part(orderer.name, role, orderer.address, health.orderer_height(orderer, name))

    def _peer_status(self, organisation: Organisation) -> PartStatus:
        height = health.peer_height(organisation, self.layout.channel)
        return self._part(organisation.peer, "peer", organisation.address, height)

    def _part(self, name: str, role: str, address: str, height: int | None) -> PartStatus:
        return {"name": name, "role": role, "pid": self._processes.pid(name), "address": address, "height": height}

    def _insist(self, what: str, step: Callable[[], None]) -> None:
        """Do a step again while the ordering service is without a leader. Each step looks first at what is done."""

        def done() -> bool:
            try:
                step()
            except NetworkError as error:
                if not passing(error):
                    raise
                return False
            return True

        self._wait(what, done)

    def _wait(self, what: str, reached: Callable[[], bool], needs: Iterable[str] = ()) -> None:
        self._processes.wait_for(what, reached, READY_SECONDS, needs)


def _described(organisation: Organisation) -> dict[str, object]:
    tls_root = _root(organisation.folder, organisation.msp, "tls")
    peer = {"name": organisation.peer, "address": organisation.address, "tls_root": tls_root}
    root = _root(organisation.folder, organisation.msp, "identity")
    return {"name": organisation.name, "msp": organisation.msp, "peers": [peer], "root": root}


def _root(folder: Path, msp: str, purpose: str) -> str:
    return Authority(folder, msp).root(purpose).decode()
