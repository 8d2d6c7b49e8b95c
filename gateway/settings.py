"""Every setting of every process, in one object.

Values come from, strongest first: arguments, environment (``HEALTHTRUST_…``, nested with ``__``), files of
``$CREDENTIALS_DIRECTORY`` named like the variables (systemd's ``LoadCredential``, a container's secrets),
``<home>/settings.toml``, the defaults below (the embedded profile). ``docs/settings.md`` is generated from this file and a test
keeps it true.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import BaseModel, Field, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from core import crypto

RESTORED = "restored.json"
"""In a home that came from a backup: ``{"time": UTC seconds, see Settings.forgotten_before, "backup": when it was made}``."""


def default_home() -> Path:
    """The state directory: ``HEALTHTRUST_HOME`` or ``~/.healthtrust``."""
    return Path(os.environ.get("HEALTHTRUST_HOME", "~/.healthtrust")).expanduser()


def private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner only."""
    for missing in reversed([p for p in (folder, *folder.parents) if not p.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


class FabricSettings(BaseModel):
    """Our place in a Hyperledger Fabric network (``ledger.kind=fabric``)."""

    msp: str = Field(
        "", description="MSP id of our organisation; empty = that of the account's certificate (several members on one machine)."
    )
    profile: str = Field(
        "", description="Connection profile the network hands out; empty = `fabric/profile.json` under the home."
    )
    wallet: str = Field("", description="Folder of our certificates; empty = `fabric/wallet` under the home.")


class LedgerSettings(BaseModel):
    """Which ledger, and how to reach our own node of it."""

    kind: Literal["evm", "fabric", "memory"] = Field(
        "evm", description="Driver. `memory` is a double: it warns, and production refuses it."
    )
    url: str = Field("http://127.0.0.1:8545", description="JSON-RPC address of our own node.")
    witness_url: str = Field(
        "",
        description="JSON-RPC address of a second node, of another organisation's or your own: reads are refused unless it says "
        "the same as `url`. It is never shown an opened consent, but learns whom you ask about. Empty = none.",
    )
    chain_id: int = Field(31337, description="EVM chain id the node must answer.")
    finality: int = Field(
        0, ge=0, description="Blocks on top of a block before its writes count as settled (0 = instant finality)."
    )
    block_seconds: float = Field(1.0, gt=0, description="Block interval of the embedded node, seconds.")
    timeout_seconds: float = Field(10.0, gt=0, description="Longest wait for one answer of the node, seconds.")
    max_head_age_seconds: int = Field(
        30, gt=0, description="A head older than this is no answer: reads are refused (fail closed)."
    )
    sm2_precompile: str = Field(
        "", description="Address of an SM2 verification precompile of the chain; empty = software in the contract."
    )
    sm3_precompile: str = Field("", description="Address of an SM3 precompile of the chain; empty = software in the contract.")
    fabric: FabricSettings = Field(default_factory=FabricSettings)


class GatewaySettings(BaseModel):
    """The REST gateway."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, description="Port to listen on.")
    public_url: str = Field(
        "", description="What clients use; part of every signed request (`@target-uri`). Empty = host and port."
    )
    workers: int = Field(1, ge=1, description="Server processes.")
    database: str = Field("", description="SQLAlchemy URL; empty = beside `database`, or SQLite under the home directory.")
    max_request_bytes: int = Field(32 * 1024 * 1024, description="A larger request body is refused with 413.")
    requests_per_minute: int = Field(600, description="Requests a minute from one caller; more is refused with 429.")
    open_requests_per_minute: int = Field(30, description="The same for callers not logged in (log-in, enrolment).")
    session_minutes: int = Field(30, description="Life of a session without use, minutes.")


class MirrorSettings(BaseModel):
    """The mirror of the chain in SQL."""

    database: str = Field("", description="SQLAlchemy URL; empty = beside `database`, or SQLite under the home directory.")
    poll_seconds: float = Field(0.25, gt=0, description="Pause between looks at the head.")
    blocks_per_read: int = Field(200, ge=1, description="Blocks fetched in one request while catching up.")
    unwind_blocks: int = Field(
        256,
        ge=0,
        description="Most blocks that may change under the mirror; a deeper change stops it. 0 on chains with instant finality.",
    )


class OfficeSettings(BaseModel):
    """The identity office: first member of the alliance, whose host also runs the gateway."""

    code: str = Field("TEST-QWJWXX", description="Its public code (统一社会信用代码 or another).")
    name: str = Field("静安区卫生健康信息中心（演示）", description="Its name.")


class GateSettings(BaseModel):
    """One custodian's release gate and store."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    code: str = Field(description="Public code of the organisation (统一社会信用代码 or another).")
    name: str = Field(description="Name people know it by.")
    port: int = Field(8091, description="Port to listen on.")
    public_url: str = Field("", description="What clients use; part of every signed request. Empty = host and port.")
    workers: int = Field(1, ge=1, description="Server processes.")
    database: str = Field("", description="SQLAlchemy URL; empty = beside `database`, or SQLite under the home directory.")
    store: Literal["files", "memory"] = Field("files", description="Where encrypted records lie. `memory` is a double.")
    inbox: str = Field(
        "", description="Folder into which sources deliver each night, one folder a source; empty = nothing is collected."
    )


class PolicySettings(BaseModel):
    """Limits that decide when a gate says no, and how soon a receipt is on chain."""

    clock_skew_seconds: int = Field(60, description="Largest accepted difference between a caller's, our and the ledger's clock.")
    signature_max_age_seconds: int = Field(300, description="Longest life of a signed request (RFC 9421 expires − created).")
    signer_requests_per_minute: int = Field(
        600,
        ge=1,
        description="Requests a minute to a gate from one signer; more is refused with 429 before anything is looked up.",
    )
    address_requests_per_minute: int = Field(
        12_000,
        ge=1,
        description="The same from one network address, before the signature is checked. A proxy in front is one address.",
    )
    receipt_delay_seconds: float = Field(1.0, description="Receipts go on chain at least this often.")
    contract_check_share: float = Field(0.01, ge=0, le=1, description="Share of fast-path decisions also asked of the contract.")
    index_mode: Literal["root", "full"] = Field(
        "root", description="`root`: one Merkle root a batch. `full`: every entry in the transaction."
    )
    batch_entries: int = Field(20_000, ge=1, description="Most index entries under one root (20,000: 6.8 MB to publish).")


class CollectionSettings(BaseModel):
    """What sources deliver into the custodians' inboxes (T+1)."""

    schedule: str = Field(
        "*/10 * * * *",
        description="When the inboxes are looked at, in local time: minute, hour, day, month, weekday as in crontab.",
    )
    due: str = Field(
        "08:00",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$",
        description="Local time of day by which every source must have delivered; later is an alarm. Empty = no alarm.",
    )
    settle_seconds: float = Field(60.0, ge=0, description="A delivery is whole when nothing in it changed for so long.")
    keep_days: int = Field(
        30, ge=0, description="Deliveries taken in are deleted after so many days: they hold records in the clear."
    )


class Settings(BaseSettings):
    """The one settings object. Build it with :func:`load`."""

    model_config = SettingsConfigDict(env_prefix="HEALTHTRUST_", env_nested_delimiter="__", extra="forbid")

    home: Path = Field(default_factory=default_home, description="The one directory that holds all state.")
    profile: Literal["embedded", "consortium"] = Field(
        "embedded", description="Embedded: everything on this machine. Consortium: one service each."
    )
    production: bool = Field(False, description="Refuse doubles, the embedded node, sample custodians, plain http and the demo.")
    port_base: int = Field(
        0,
        description="If set, all embedded ports in a row: gateway here, node at +1, gates from +2.",
    )
    alliance: str = Field(
        "静安区医疗联盟（演示）", description="Name of the alliance; part of the ledger id when contracts are deployed."
    )
    database: str = Field(
        "",
        description="SQLAlchemy URL of a PostgreSQL database. Gateway, mirror, registrar and each custodian get one of their own "
        "beside it (its name + `_gateway`, `_mirror`, `_registrar`, `_<code>`; `up` creates them). Empty = SQLite in the home.",
    )
    broker: str = Field("", description="Celery broker URL; empty = files under the home directory.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    crypto_engine: str = Field(
        "auto",
        description="What does national cryptography: `gmsm` (built by `make engine`), `openssl`, or a name of the entry-point "
        "group `healthtrust.crypto`. `auto` = gmsm where it is built, else openssl.",
    )
    web_origins: list[str] = Field(
        default_factory=list, description="Further browser origins allowed to call gateway and gates (CORS)."
    )
    ledger: LedgerSettings = Field(default_factory=LedgerSettings)
    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    mirror: MirrorSettings = Field(default_factory=MirrorSettings)
    office: OfficeSettings = Field(default_factory=OfficeSettings)
    policy: PolicySettings = Field(default_factory=PolicySettings)
    collection: CollectionSettings = Field(default_factory=CollectionSettings)
    gates: list[GateSettings] = Field(
        default_factory=lambda: [
            GateSettings(code="TEST-QWSJPT", name="静安区全民健康信息平台（演示）", port=8091),
            GateSettings(code="TEST-SZXYY", name="静安区中心医院（演示）", port=8092),
        ],
        description="Custodians whose gates run here.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        given = init_settings().get("home")
        toml = (Path(str(given)).expanduser() if given else default_home()) / "settings.toml"
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        credentials = (SecretsSettingsSource(settings_cls, secrets_dir=folder),) if folder else ()
        return init_settings, env_settings, *credentials, TomlConfigSettingsSource(settings_cls, toml_file=toml)

    @field_validator("crypto_engine")
    @classmethod
    def _engine_there(cls, name: str) -> str:
        try:
            crypto.load(name)
        except LookupError as e:
            raise ValueError(e) from e
        return name

    @model_validator(mode="after")
    def _place_ports(self) -> Settings:
        if self.port_base:
            self.gateway.port = self.port_base
            self.ledger.url = f"http://127.0.0.1:{self.port_base + 1}"
            for n, gate in enumerate(self.gates):
                gate.port = self.port_base + 2 + n
        services: list[GatewaySettings | GateSettings] = [self.gateway, *self.gates]
        for service in services:
            service.public_url = service.public_url or f"http://{service.host}:{service.port}"
        return self

    @model_validator(mode="after")
    def _refuse_doubles_in_production(self) -> Settings:
        if self.production:
            doubles = [g.code for g in self.gates if g.store == "memory"]
            if self.ledger.kind == "memory" or doubles:
                raise ValueError("production refuses in-memory doubles: set ledger.kind=evm or fabric and gates[].store=files")
            if self.profile != "consortium":
                raise ValueError("production refuses the embedded node, which one party can rewrite: set profile=consortium")
            if any(g.code.startswith("TEST-") for g in self.gates):
                raise ValueError("production refuses the sample custodians: name your own in gates")
            if not all(url.startswith("https://") for url in (self.gateway.public_url, *(g.public_url for g in self.gates))):
                raise ValueError("production refuses http: session tokens and records travel to these addresses; set public_url")
        return self

    def path(self, *parts: str) -> Path:
        """A path under the home directory; parents are made."""
        p = self.home.joinpath(*parts)
        private_folder(p.parent)
        return p

    def forgotten_before(self) -> int:
        """UTC seconds up to which used nonces are forgotten, because this home was restored from a backup then; 0 where it never
        was. Nothing that was signed before is accepted."""
        try:
            return int(json.loads((self.home / RESTORED).read_text("utf-8"))["time"])
        except FileNotFoundError:
            return 0

    def gateway_database(self) -> str:
        """SQLAlchemy URL of the gateway's database."""
        return self.gateway.database or self._database("gateway", "gateway", "gateway.db")

    def mirror_database(self) -> str:
        """SQLAlchemy URL of the mirror's database."""
        return self.mirror.database or self._database("mirror", "mirror", "mirror.db")

    def registrar_database(self) -> str:
        """SQLAlchemy URL of the registrar's database."""
        return self._database("registrar", "registrar", "registrar.db")

    def gate(self, code: str) -> GateSettings:
        """Settings of the custodian with this code; KeyError names the codes there are."""
        for g in self.gates:
            if g.code == code:
                return g
        raise KeyError(f"no custodian {code!r} in settings.gates; there are: {', '.join(g.code for g in self.gates)}")

    def custodian_database(self, code: str) -> str:
        """SQLAlchemy URL of a custodian's database."""
        return self.gate(code).database or self._database(code, "custodians", code, "store.db")

    def _database(self, name: str, *file: str) -> str:
        """Beside the one database of the settings, or an SQLite file."""
        if not self.database:
            return f"sqlite:///{self.path(*file)}"
        parts = urlsplit(self.database)
        return urlunsplit(parts._replace(path=f"{parts.path}_{quote(name)}"))


@lru_cache(maxsize=1)
def load() -> Settings:
    """The settings of this process, read once; from then on it uses the crypto engine they name."""
    settings = Settings()
    crypto.use(settings.crypto_engine)
    return settings
