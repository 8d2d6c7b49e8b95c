"""The story of the demo, told once from beginning to end against the running platform. Every step checks what it claims.

A second telling goes on with the same chain and databases: accounts stay open, unchanged records are not imported again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import typer

from core.errors import place_of
from gateway.settings import Settings, load
from healthtrust.custody import custody
from healthtrust.demo import sources
from healthtrust.demo.cast import AUDITOR, COLLEAGUE, DOCTOR, PASSPHRASE, Wallet
from healthtrust.demo.consent import activation, enrol, grant, leave_a_question, revoke
from healthtrust.demo.hospitals import employ_staff, import_records, publish
from healthtrust.demo.reading import audit, prove, read, show_receipts
from healthtrust.demo.sources import Protagonist
from healthtrust.demo.stage import Say, Stage
from healthtrust.platform import Platform


def tell(settings: Settings, platform: Platform, folders: dict[str, Path]) -> None:
    """Tell it. Raises StoryFailed, or what the platform raised, at the first step that does not hold."""
    with ExitStack() as stack:
        stage = Stage(settings, platform, stack, Wallet(settings), folders)
        _open_custodies(stage)
        with _step("病历入库、计算指纹、存证 · records imported, fingerprinted, anchored") as said:
            import_records(stage, said)
        with _step("机构、文书类型、居民名册 · members, document types, directory") as said:
            publish(stage, said)
        with _step("医生和审计员取得执业凭证 · credentials for a doctor and an auditor"):
            doctor = employ_staff(stage)
        with _step("居民开通健康账户，密钥只在自己手里 · a resident opens an account with a key of their own") as said:
            resident, who = enrol(stage, said)
        with _step("医生申请，居民签名允许 · the doctor asks, the resident grants by signature") as said:
            consent = grant(stage, resident, doctor, who, said)
        with _step("医生只看到被允许的字段 · the doctor reads exactly the granted fields") as said:
            reading, gate = read(stage, doctor, consent, who, said)
        with _step("证明包离线核对 · the proof bundle is verified offline") as said:
            bundle = prove(stage, gate, reading, said)
        with _step("居民看到谁看过 · the resident sees who has read") as said:
            show_receipts(stage, resident, reading, said)
        with _step("镜像与链一致，重建摘要相同；档案的一生 · mirror equals chain; a record's life") as said:
            audit(stage, reading, said)
        with _step("居民撤销，再看即被拒绝 · the resident revokes, the next reading is refused") as said:
            revoke(stage, resident, doctor, consent, reading, said)
        leave_a_question(stage, doctor, who)
        _farewell(stage, who, bundle)


def _open_custodies(stage: Stage) -> None:
    stage.custodies = [stage.stack.enter_context(custody(stage.settings, g.code)) for g in stage.settings.gates]


def _farewell(stage: Stage, who: Protagonist, bundle: Path) -> None:
    others = sources.choose(stage.settings, stage.folders.values(), stage.custodies)[1:2]
    lines = [
        "",
        "打开网页 · pages",
        stage.platform.addresses(),
        "",
        f"钥匙文件 · key files: {stage.wallet.folder}  （密码 · passphrase: {PASSPHRASE}）",
        f"  居民 resident   resident-{who.number[-4:]}.json   {who.name}  身份证号 ID {who.number}",
        f"  医生 doctor     {DOCTOR.role}.json        {DOCTOR.name}",
        f"  护士 nurse      {COLLEAGUE.role}.json            {COLLEAGUE.name}  （确认紧急调阅 · confirms emergencies）",
        f"  审计 auditor    {AUDITOR.role}.json          {AUDITOR.name}",
        *(f"  还没开户，可自己试 · try opening an account: {p.name} {p.number} 激活码 {activation(stage, p)}" for p in others),
        f"证明包 · proof bundle: healthtrust verify {bundle}",
    ]
    typer.echo("\n".join(lines))


@contextmanager
def _step(title: str) -> Iterator[Say]:
    said: list[str] = []
    began = time.monotonic()
    typer.echo(f"▸ {title}")
    try:
        yield said.append
    except Exception as error:
        _stopped_at(title, error)
        raise
    for line in said:
        typer.echo(f"    {line}")
    typer.secho(f"  ✓ {time.monotonic() - began:.1f} s", fg="green")


def _stopped_at(title: str, error: Exception) -> None:
    """Which step did not hold, where its cause is written down, and what to do; what the error itself says follows it."""
    logs = load().home / "logs"
    zh, _, en = title.partition(" · ")
    lines = [
        f"  ✗ 这一步没有成功：{zh}（{type(error).__name__}，{place_of(error)}）",
        f"    各服务的日志在 {logs}；原因消除后再运行同一命令，会从这里接着做，已完成的不会重做。",
        f"    This step did not hold: {en}. The services' logs are in {logs}.",
        "    Once the cause is gone, run the same command again: it goes on from here and does nothing twice.",
    ]
    typer.secho("\n".join(lines), fg="red", err=True)
