"""Quality rules a row must pass before it is indexed: numbered, named, in both languages (requirement P04).

A row that breaks one goes to quarantine with the rule and what was wrong; it is looked at again at the next run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any


class Rule(Enum):
    """A rule: number, Chinese and English text."""

    JSON = ("Q01", "不是合法的 JSON", "not valid JSON")
    ENCODING = ("Q02", "字符编码不对", "wrong character encoding")
    LINE_TOO_LONG = ("Q03", "一行过长", "line too long")
    CSV_ROW = ("Q04", "CSV 行格式不对", "not a well-formed CSV row")
    COLUMNS = ("Q05", "列数与表头不符", "number of columns differs from the header")
    MISSING_COLUMNS = ("Q06", "表头缺少必需的列", "the header lacks required columns")
    NO_ID = ("Q07", "没有记录编号", "the row has no id")
    NO_PATIENT = ("Q08", "没有指明居民", "the row names no patient")
    PATIENT_UNKNOWN = ("Q09", "居民尚未登记", "the patient is not known yet")
    REQUIRED = ("Q10", "缺少必填数据元", "a required element is missing")
    DATE = ("Q11", "日期格式不对", "not a date")
    FUTURE = ("Q12", "日期在将来", "the date is in the future")
    PERIOD = ("Q13", "结束早于开始", "the end is before the start")
    NUMBER = ("Q14", "数值不合理", "not a plausible number")
    CHECK_DIGIT = ("Q15", "身份证件号码校验位不对", "the check digit of the identity number is wrong")
    CONFLICT = ("Q16", "同一编号出现两条不同的记录", "two different rows with the same id")
    IDENTITY = ("Q17", "标识符指向不同的人", "the identifiers belong to different people")
    ATTACHMENT = ("Q18", "附件无法解码", "the attachment cannot be decoded")
    VALUE = ("Q19", "值无法规范化", "a value has no canonical form")

    def __init__(self, number: str, zh: str, en: str) -> None:
        self.number = number
        self.zh = zh
        self.en = en


Finding = tuple[Rule, str]

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "patient-summary": ("name",),
    "encounter": ("class", "start"),
    "diagnosis": ("code", "name"),
    "laboratory-result": ("code", "name", "time"),
    "vital-sign": ("code", "name", "time"),
    "social-history": ("code", "name", "time"),
    "medication": ("name", "start"),
    "procedure": ("code", "name", "start"),
    "immunization": ("code", "time"),
    "allergy": ("code", "name"),
    "clinical-note": ("type", "time", "text"),
    "imaging-study": ("modality", "time"),
    "care-plan": ("code", "name", "start"),
    "device": ("code", "name"),
}
_PERIODS = (("start", "end"), ("onset", "abatement"), ("onset", "end"), ("manufactured", "expires"))
_DATES = frozenset(
    {"birth-date", "deceased", "start", "end", "onset", "abatement", "recorded", "time", "manufactured", "expires"}
)
_MAY_BE_FUTURE = frozenset({"end", "expires"})
# LOINC code → least and greatest value a living person can have in the unit named.
_PLAUSIBLE: Mapping[tuple[str, str], tuple[float, float]] = {
    ("8302-2", "cm"): (20, 280),
    ("29463-7", "kg"): (0.2, 700),
    ("8310-5", "Cel"): (20, 47),
    ("8867-4", "/min"): (0, 350),
    ("9279-1", "/min"): (0, 150),
    ("8480-6", "mm[Hg]"): (0, 370),
    ("8462-4", "mm[Hg]"): (0, 300),
    ("4548-4", "%"): (1, 30),
    ("2708-6", "%"): (0, 100),
}
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def check(document_type: str, values: Mapping[str, Any], now: datetime) -> Iterator[Finding]:
    """Everything wrong with a mapped row, most basic first."""
    for rule in _RULES:
        yield from rule(document_type, values, now)


def parse_time(text: str) -> datetime | None:
    """A FHIR date or dateTime (also to the year or month), in UTC; without a zone it is taken as UTC. None if it is not one."""
    if not _DATE.fullmatch(text):
        return None
    try:
        whole = text if len(text) >= 10 else f"{text}-01-01"[:10] if len(text) == 4 else f"{text}-01"
        moment = datetime.fromisoformat(whole)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def resident_id_valid(number: str) -> bool:
    """Whether an 18-character resident identity number has a right check digit and a real birth date (GB 11643-1999)."""
    if not re.fullmatch(r"\d{17}[\dX]", number):
        return False
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return resident_id_check(number[:17]) == number[17]


def resident_id_check(first17: str) -> str:
    """The check character of the first 17 digits (GB 11643-1999, ISO 7064 MOD 11-2)."""
    return "10X98765432"[sum(w * int(d) for w, d in zip(_WEIGHTS, first17, strict=True)) % 11]


def _required(document_type: str, values: Mapping[str, Any], _now: datetime) -> Iterator[Finding]:
    for name in _REQUIRED[document_type]:
        if values.get(name) in (None, ""):
            yield Rule.REQUIRED, name


def _dates(_type: str, values: Mapping[str, Any], now: datetime) -> Iterator[Finding]:
    for name in sorted(_DATES & values.keys()):
        value = values[name]
        if value is None:
            continue
        moment = parse_time(value) if isinstance(value, str) else None
        if moment is None:
            yield Rule.DATE, name
        elif name not in _MAY_BE_FUTURE and (moment - now).total_seconds() > 86_400:
            yield Rule.FUTURE, name


def _periods(_type: str, values: Mapping[str, Any], _now: datetime) -> Iterator[Finding]:
    for first, last in _PERIODS:
        start, end = (parse_time(v) if isinstance(v := values.get(name), str) else None for name in (first, last))
        if start and end and end < start and len(values[first]) == len(values[last]):
            yield Rule.PERIOD, f"{first}, {last}"


def _numbers(_type: str, values: Mapping[str, Any], _now: datetime) -> Iterator[Finding]:
    value, code = values.get("value"), values.get("code")
    if value is None or not isinstance(code, Mapping):
        return
    least, greatest = _PLAUSIBLE.get((str(code.get("code")), str(values.get("unit"))), (float("-inf"), float("inf")))
    if not isinstance(value, int | float) or not least <= value <= greatest:
        yield Rule.NUMBER, f"{code.get('code')} outside {least} to {greatest}"


_RULES: tuple[Callable[[str, Mapping[str, Any], datetime], Iterator[Finding]], ...] = (_required, _dates, _periods, _numbers)
