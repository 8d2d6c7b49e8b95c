"""Refusals of writes."""

from __future__ import annotations

from core.errors import Forbidden


class NotOurOrganisation(Forbidden):
    """A write only the organisation's own ledger account can make."""

    default_code = "not_our_organisation"
    default_zh = "此操作须由贵机构自己的账本账户发起，请通过贵机构自己的网关或命令行提交。"
    default_en = "Only your organisation's own ledger account can do this. Submit it through your own gateway or command line."
