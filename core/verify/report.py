"""What was checked and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .words import RESTS_ON


@dataclass(frozen=True)
class Line:
    """One thing that was checked. ``ok``: True proved, False disproved, None not shown."""

    ok: bool | None
    code: str
    zh: str
    en: str


@dataclass(frozen=True)
class Report:
    """All lines and the exit code (see :mod:`core.verify`)."""

    lines: list[Line]
    exit_code: int

    def to_json(self) -> dict[str, Any]:
        """JSON form."""
        lines = [{"ok": x.ok, "code": x.code, "zh": x.zh, "en": x.en} for x in self.lines]
        return {"exitCode": self.exit_code, "lines": lines, "restsOn": {"zh": RESTS_ON[0], "en": RESTS_ON[1]}}

    def text(self, lang: str = "en") -> str:
        """For people."""
        marks = {True: "✓", False: "✗", None: "–"}
        rows = [f"{marks[x.ok]} {x.zh if lang == 'zh' else x.en}" for x in self.lines]
        verdict = VERDICTS[self.exit_code][0 if lang == "zh" else 1]
        return "\n".join([*rows, "", verdict, RESTS_ON[0 if lang == "zh" else 1]])


VERDICTS = {
    0: ("结论：全部成立。", "Verdict: everything holds."),
    1: (
        "结论：不成立。至少有一项与证明不符，请勿采信，并联系保管机构或审计员。",
        "Verdict: FALSE. At least one item does not hold. Do not rely on it; contact the custodian or the auditor.",
    ),
    2: ("结论：这不是证明包。", "Verdict: this is not a proof bundle."),
    3: (
        "结论：已出示的都成立，但缺少账本证明或可信检查点。",
        "Verdict: true as far as shown, but the ledger's proof or a trusted checkpoint is missing.",
    ),
}
