"""The command line. A command is a few lines here and a function elsewhere; errors are said in one sentence, never as a trace."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from core.errors import ForPeople
from gateway.settings import default_home, load
from healthtrust import alliance, contracts, network, supervisor
from healthtrust.deploy import cli as deploy

if TYPE_CHECKING:
    from healthtrust.platform import Platform

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Health-data trust platform.")
mirror_app = typer.Typer(no_args_is_help=True, help="The copy of the chain in SQL: follow, rebuild, compare.")
app.add_typer(mirror_app, name="mirror")
app.add_typer(network.app, name="network")
app.add_typer(deploy.app, name="deploy")
app.add_typer(contracts.app, name="contracts")
app.add_typer(alliance.app, name="alliance")


class ImportGroup(TyperGroup):
    """`healthtrust import CODE FOLDER` imports a folder; a word that is a command of this group is that command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click: what is no command of ours is an argument of ``folder``."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["folder", *args]
        return super().parse_args(ctx, args)


import_app = typer.Typer(
    cls=ImportGroup,
    no_args_is_help=True,
    help="Import a source's records: `import CODE FOLDER` now, or what is delivered into the inboxes.",
)
app.add_typer(import_app, name="import")

HomeOption = Annotated[Path | None, typer.Option("--home", help="State directory (default ~/.healthtrust or HEALTHTRUST_HOME).")]
PortOption = Annotated[int | None, typer.Option("--port-base", help="Use ports from here on instead of 8080, 8091, 8092, 8545.")]


@app.callback()
def common(home: HomeOption = None, port_base: PortOption = None) -> None:
    """Health-data trust platform."""
    # Children and every later load() read the same environment: one way for a value to travel.
    os.environ["HEALTHTRUST_HOME"] = str((home or default_home()).expanduser().absolute())
    if port_base is not None:
        os.environ["HEALTHTRUST_PORT_BASE"] = str(port_base)


@app.command()
def up() -> None:
    """Start every process of the embedded profile and stay until Ctrl-C."""
    from healthtrust.platform import running_platform

    with running_platform(load(), say=typer.echo) as platform:
        typer.echo(platform.addresses())
        _stay(platform)


@app.command()
def down() -> None:
    """Stop what `up` or `demo` started under this home."""
    typer.echo("stopped" if supervisor.down(load().home) else "nothing is running here")


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """What runs, where, and whether it is ready. Exit code 1 if something that should run does not."""
    from healthtrust.status import report, text

    found = report(load())
    typer.echo(json.dumps(found, ensure_ascii=False) if as_json else text(found))
    if not found["ready"]:
        raise typer.Exit(1)


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Stop after the story; the exit code says whether every step held.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="Real input: hospital_fhir_ndjson/ and district_platform_csv/ in here.")
    ] = None,
) -> None:
    """The whole story on sample residents (or real input), with progress; then stays up."""
    from healthtrust.demo.sources import folders
    from healthtrust.demo.story import tell
    from healthtrust.platform import running_platform

    settings = load()
    if settings.production:
        raise typer.BadParameter("the demo's keys lie under a printed passphrase; production refuses it")
    brought = folders(settings, data)
    with running_platform(settings, say=typer.echo) as platform:
        with platform.supervisor.kept_alive():
            tell(settings, platform, brought)
        if not once:
            _stay(platform)


@import_app.command("folder")
def import_(
    code: Annotated[str, typer.Argument(help="The custodian's code (see `healthtrust settings`, gates).")],
    folder: Annotated[Path, typer.Argument(help="FHIR R4 bulk NDJSON or relational CSV.")],
    anchor: Annotated[bool, typer.Option(help="Also put what is new under Merkle roots on the ledger.")] = True,
) -> None:
    """Import what changed in a source since the last run (T+1), and anchor it. The word `folder` may be left out."""
    from healthtrust.custody import custody, import_folder

    with custody(load(), code) as own:
        typer.echo(json.dumps(import_folder(load(), own, folder).to_json(), ensure_ascii=False, indent=1))
        if anchor:
            typer.echo(f"{own.anchor()} batches anchored")


@import_app.command("collect")
def import_collect(code: Annotated[str, typer.Argument(help="The custodian's code.")]) -> None:
    """Take in what waits in a custodian's inbox now, as the schedule does. Exit code 1 if a delivery was refused."""
    from healthtrust.collection import collect

    taken = collect(load(), code)
    for delivery in taken:
        typer.echo(f"{delivery.source}/{delivery.name}: {delivery.status}{f' ({delivery.reason})' if delivery.reason else ''}")
    if any(delivery.status == "refused" for delivery in taken):
        raise typer.Exit(1)


@import_app.command("status")
def import_status(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """What sources delivered, what became of it, and what is missing. Exit code 1 if something is overdue or was refused."""
    from healthtrust.collection import custodians, status, text

    found = [status(load(), code) for code in custodians(load())]
    shown = "\n".join(text(one) for one in found) or "no custodian has an inbox (docs/settings.md, gates)"
    typer.echo(json.dumps(found, ensure_ascii=False, indent=1) if as_json else shown)
    if not all(one["ok"] for one in found):
        raise typer.Exit(1)


@app.command()
def anchor(code: Annotated[str, typer.Argument(help="The custodian's code.")]) -> None:
    """Put everything that is not anchored yet on the ledger, and hand the batches to the central index."""
    from gateway.client import GatewayClient
    from healthtrust.custody import custody

    with custody(load(), code) as own, GatewayClient(load().gateway.public_url) as gateway:
        made = own.anchor()
        typer.echo(f"{made} batches anchored, {own.publish(gateway.sign_as(own.party.machine))} handed to the index")


@app.command("rotate-key")
def rotate_key(code: Annotated[str, typer.Argument(help="The custodian's code.")]) -> None:
    """A new key that wraps a custodian's record keys; everything is wrapped anew, then the old key is forgotten.

    Interrupted, it goes on when it is run again. Gates read on meanwhile.
    """
    from healthtrust.custody import rotate_wrapping_key

    moved = rotate_wrapping_key(load(), code, lambda n: typer.echo(f"{n} moved", err=True))
    typer.echo(f"{moved} record keys and quarantined rows are under the new key; the old one is gone")


@app.command("rotate-signing-key")
def rotate_signing_key(code: Annotated[str, typer.Argument(help="The custodian's code, or the identity office's.")]) -> None:
    """A new SM2 key for a member, on the ledger and in its keyring. Its gate must not run meanwhile.

    Interrupted, it goes on when it is run again."""
    from healthtrust import rotation

    typer.echo(f"0x{rotation.rotate_signing_key(load(), code).hex()} is the key from now on; the ledger refuses the old one")


@app.command("rotate-account")
def rotate_account(
    code: Annotated[str, typer.Argument(help="The custodian's code, the identity office's, or `gateway`.")],
) -> None:
    """A new ledger account for a member; the old one is withdrawn. Its gate must not run meanwhile.

    Interrupted, it goes on when it is run again."""
    from healthtrust import rotation

    typer.echo(f"{rotation.rotate_account(load(), code)} is the account from now on; the ledger refuses the old one")


KeyOption = Annotated[Path, typer.Option("--key", help="Your key file.")]
PassphraseOption = Annotated[
    str, typer.Option(prompt=True, hide_input=True, envvar="HEALTHTRUST_PASSPHRASE", help="Of the key file.")
]


@app.command()
def grant(
    practitioner: Annotated[str, typer.Argument(help="Who may read (0x… practitioner id).")],
    key: KeyOption,
    passphrase: PassphraseOption,
    category: Annotated[list[str], typer.Option(help="Categories to open, e.g. laboratory; may be repeated.")],
    days: Annotated[int, typer.Option(min=1, max=3650)] = 30,
) -> None:
    """A resident grants by signature; prints the consent's id once the ledger holds it."""
    from healthtrust import people

    typer.echo(people.grant(load(), people.open_key(key, passphrase), practitioner, category, days))


@app.command()
def read(
    consent: Annotated[str, typer.Argument(help="The consent's id (0x…).")],
    key: KeyOption,
    passphrase: PassphraseOption,
    record: Annotated[str, typer.Option(help="Read this record; without it, list what may be read.")] = "",
) -> None:
    """A doctor lists what a consent opens, or reads one record with its proof bundle (JSON)."""
    from healthtrust import people

    own = people.open_key(key, passphrase)
    entries = people.readable(load(), own, consent)
    if not record:
        typer.echo(json.dumps(entries, ensure_ascii=False, indent=1))
        return
    for code, held in entries.items():
        for entry in held:
            if entry["record"] == record:
                reading = people.read(load(), own, consent, code, entry)
                typer.echo(json.dumps(reading.bundle, ensure_ascii=False, indent=1))
                return
    typer.secho("✗ not among what this consent opens to you", fg="red", err=True)
    raise typer.Exit(1)


@app.command()
def trace(identifier: str, key: KeyOption, passphrase: PassphraseOption) -> None:
    """An auditor follows any identifier through its life (JSON: nodes and edges)."""
    from healthtrust import people

    typer.echo(json.dumps(people.follow(load(), people.open_key(key, passphrase), identifier), ensure_ascii=False, indent=1))


@app.command("as-of")
def as_of(
    identifier: Annotated[str, typer.Argument(help="A record, or a person.")],
    key: KeyOption,
    passphrase: PassphraseOption,
    height: Annotated[int | None, typer.Option(help="As of this block.")] = None,
    time: Annotated[int | None, typer.Option(help="As of this time, UTC seconds; without both, now.")] = None,
    artefact: Annotated[
        list[Path] | None, typer.Option(help="An opened consent artefact you hold (JSON); may be repeated.")
    ] = None,
) -> None:
    """An auditor asks who could read then, by which consent, and who did (JSON); every proof is checked here.

    Exit code 1 if a proof does not hold."""
    from healthtrust import people

    found = people.who_could_read(load(), people.open_key(key, passphrase), identifier, height, time, artefact or [])
    typer.echo(json.dumps(found.answer, ensure_ascii=False, indent=1))
    raise typer.Exit(0 if found.holds else 1)


@mirror_app.command("checkpoint")
def mirror_checkpoint(
    code: Annotated[str, typer.Argument(help="Who says it: a custodian's code, or the registrar's.")],
    height: Annotated[int | None, typer.Option(help="Of this block; without, one that is settled.")] = None,
) -> None:
    """Sign what our mirror holds of a block and put it on the ledger, where other organisations compare it with theirs (JSON)."""
    from dataclasses import asdict

    from healthtrust.attest import attest

    typer.echo(json.dumps(asdict(attest(load(), code, height)), indent=1))


@mirror_app.command("reset")
def mirror_reset(to: Annotated[int, typer.Option(help="The last block that stays; −1: none.")]) -> None:
    """Take blocks out of the mirror; its follower takes them in again from the node. Only while it does not run."""
    from contextlib import closing

    from mirror.database import Database
    from mirror.reset import reset

    with closing(Database(load().mirror_database())) as database:
        cursor = reset(database, to)
    typer.echo(f"height {cursor.height}, digest 0x{cursor.digest.hex()}")


@mirror_app.command("export")
def mirror_export(file: Annotated[Path, typer.Argument(help="The file to write.")]) -> None:
    """Write the mirror into one file, for another organisation to start from (JSON: what is in it)."""
    from contextlib import closing
    from dataclasses import asdict

    from mirror import snapshot
    from mirror.database import Database

    with closing(Database(load().mirror_database())) as database:
        typer.echo(json.dumps(asdict(snapshot.export(database, file)), indent=1))


@mirror_app.command("import")
def mirror_import(
    file: Annotated[Path, typer.Argument(help="A file that `mirror export` wrote.")],
    expect: Annotated[str, typer.Option(help="The digest it must end in, as the organisations say it (0x…).")] = "",
) -> None:
    """Take a snapshot into our empty mirror; every block's digest is recomputed, and a changed file is refused whole."""
    from contextlib import closing
    from dataclasses import asdict

    from core.hexes import to_bytes
    from mirror import snapshot
    from mirror.database import Database

    with closing(Database(load().mirror_database())) as database:
        found = snapshot.restore(database, file, to_bytes(expect) if expect else None)
        typer.echo(json.dumps(asdict(found), indent=1))


@mirror_app.command("views")
def mirror_views() -> None:
    """Make the read-only SQL views (docs/services.md) anew; their names."""
    from contextlib import closing

    from mirror.database import Database
    from mirror.views import publish

    with closing(Database(load().mirror_database())) as database:
        typer.echo("\n".join(publish(database)))


@mirror_app.command("sql-reader")
def mirror_sql_reader(
    name: Annotated[str, typer.Argument(help="The role, lower case.")],
    organisation: Annotated[str, typer.Option(help="Id of the organisation whose rows it sees (0x…); without, all rows.")] = "",
) -> None:
    """Make a PostgreSQL role that reads the views and nothing else (JSON with its password, shown once)."""
    from contextlib import closing
    from dataclasses import asdict

    from core.hexes import to_bytes
    from mirror.database import Database
    from mirror.views import add_reader

    with closing(Database(load().mirror_database())) as database:
        reader = add_reader(database, name, to_bytes(organisation, 32, "organisation") if organisation else None)
    typer.echo(json.dumps(asdict(reader), indent=1))


@mirror_app.command("agreement")
def mirror_agreement(heights: Annotated[int, typer.Option(help="How many heights, newest first.")] = 50) -> None:
    """Which organisations' mirrors agree with ours at which height, and where one does not (JSON).

    Exit code 1 if one does not."""
    from contextlib import closing

    from mirror.agreement import agreement
    from mirror.database import Database
    from mirror.live import Live

    with closing(Database(load().mirror_database())) as database:
        found = agreement(Live(database), heights)
    typer.echo(json.dumps(found.json(), indent=1))
    raise typer.Exit(1 if found.diverging else 0)


@mirror_app.command("status")
def mirror_status() -> None:
    """Height, lag and digest of the mirror (JSON)."""
    from mirror.status import status as status_of

    typer.echo(json.dumps(status_of(load()).json(), ensure_ascii=False, indent=1))


@mirror_app.command("state")
def mirror_state(height: Annotated[int | None, typer.Option(help="As of this block; the newest without.")] = None) -> None:
    """What is authorised, as one hash that another ledger with the same consents and indexes gives too (JSON)."""
    from contextlib import closing

    from mirror.authorisations import standing
    from mirror.database import Database

    with closing(Database(load().mirror_database())) as database:
        typer.echo(json.dumps(standing(database, height).json(), indent=1))


@mirror_app.command("rebuild")
def mirror_rebuild(into: Annotated[str, typer.Argument(help="SQLAlchemy URL of an empty database.")]) -> None:
    """Build a second mirror from block 0 and compare it with the live one. Exit code 1 if they differ."""
    from mirror.rebuild import rebuild

    rebuilt = rebuild(load(), into)
    typer.echo(f"height {rebuilt.height}, digest 0x{rebuilt.digest.hex()}")
    if rebuilt.difference is not None:
        typer.secho(f"✗ {rebuilt.difference}", fg="red", err=True)
        raise typer.Exit(1)


@mirror_app.command("compare")
def mirror_compare(
    a: Annotated[str, typer.Argument(help="SQLAlchemy URL of a mirror; without it, the one in use.")] = "",
    b: Annotated[str, typer.Argument(help="Another; without it, our own node: a mirror is built from it, aside.")] = "",
) -> None:
    """Compare a mirror with another or with our own node; names the first block that differs, and rows.

    Exit code 1 if one does."""
    from mirror.compare import compare
    from mirror.rebuild import compare_with_node

    first = a or load().mirror_database()
    difference = compare(first, b) if b else compare_with_node(load(), first)
    typer.echo("equal" if difference is None else f"first difference: {difference}")
    raise typer.Exit(0 if difference is None else 1)


BackupPassphrase = Annotated[
    str, typer.Option(prompt=True, hide_input=True, envvar="HEALTHTRUST_BACKUP_PASSPHRASE", help="Of the backup.")
]


@app.command()
def backup(to: Annotated[Path, typer.Argument(help="New folder, on another disk.")], passphrase: BackupPassphrase) -> None:
    """Copy this home, encrypted, while its processes run: databases, record store, keys. Nodes are not in it."""
    from healthtrust.backup.make import backup as make

    made = make(load(), to, passphrase, typer.echo)
    typer.echo(f"{len(made.items)} files, {sum(item.bytes for item in made.items):,} bytes in {to}")


@app.command()
def restore(source: Annotated[Path, typer.Argument(help="What `backup` wrote.")], passphrase: BackupPassphrase) -> None:
    """Make this home, which must be new, what was backed up. Then start the node and ask `healthtrust behind`."""
    from healthtrust.backup.restore import restore as put_back

    made = put_back(Path(os.environ["HEALTHTRUST_HOME"]), source, passphrase, typer.echo)
    typer.echo(f"restored from {datetime.fromtimestamp(made.made, UTC):%Y-%m-%d %H:%M:%S} UTC; next: `healthtrust behind`")


@app.command()
def behind() -> None:
    """Does the ledger hold receipts or index batches of ours that are not here? Exit code 1 if so: the backup was too old."""
    from healthtrust.backup.behind import behind as compare

    found = compare(load())
    typer.echo("\n".join(map(str, found)))
    if not all(one.whole for one in found):
        raise typer.Exit(1)


@app.command()
def alarms(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """What somebody has to look at on this host (docs/operations.md says what to do). Exit code 1 if there is anything."""
    from dataclasses import asdict

    from healthtrust.alarms import alarms as look

    found = look(load())
    lines = [f"{alarm.kind}: {alarm.text}" for alarm in found] or ["all is well"]
    typer.echo(json.dumps([asdict(alarm) for alarm in found], ensure_ascii=False) if as_json else "\n".join(lines))
    raise typer.Exit(1 if found else 0)


@app.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Benches to run; all without.")] = None, quick: bool = False
) -> None:
    """Measure; writes docs/benchmarks.json and its page (source tree only)."""
    from benches.__main__ import main

    main([*(names or []), *(["--quick"] if quick else [])])


@app.command()
def settings(markdown: Annotated[bool, typer.Option("--markdown", help="The reference page.")] = False) -> None:
    """The settings in force, as JSON; or the reference page."""
    from healthtrust import settings_page

    typer.echo(settings_page.markdown() if markdown else load().model_dump_json(indent=2), nl=not markdown)


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="A proof bundle (JSON).")],
    trust: Annotated[
        Path | None,
        typer.Option(help="A checkpoint from somebody you trust (default: the one `healthtrust checkpoint` wrote here)."),
    ] = None,
    lang: Annotated[str, typer.Option(help="zh or en")] = "zh",
) -> None:
    """Check a proof bundle offline, line by line.

    Exit code: 0 proved, 1 something is false, 2 not a bundle, 3 ledger part missing.
    """
    from core.verify.command import main
    from healthtrust.checkpoint import path_of

    own = path_of(load())
    chosen = trust or (own if own.exists() else None)
    raise typer.Exit(main([str(bundle), "--lang", lang, *(["--trust", str(chosen)] if chosen else [])]))


@app.command()
def checkpoint() -> None:
    """Write the newest block hashes of our own node to a file that a verifier may trust as far as they trust us."""
    from healthtrust.checkpoint import path_of, write_checkpoint

    write_checkpoint(load())
    typer.echo(path_of(load()))


def _stay(platform: Platform) -> None:
    typer.echo("\nThe platform stays up; Ctrl-C stops everything.")
    try:
        platform.watch(lambda: False)
    except KeyboardInterrupt:
        typer.echo("stopping …")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Entry point: run a command; say errors in one sentence. What it and its children write is their owner's alone."""
    os.umask(0o077)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:
        if not _is_for_people(error):
            raise
        typer.secho(f"✗ {error}", fg="red", err=True)
        raise SystemExit(1) from None


def _is_for_people(error: Exception) -> bool:
    # httpx by name: importing it would cost every command a third of a second.
    return isinstance(error, ForPeople | OSError | TimeoutError) or type(error).__module__.startswith("httpx")
