"""Refusals of receipts."""

from __future__ import annotations

from core.errors import Conflict, Forbidden


class NotYourStore(Forbidden):
    """A receipt of another store."""

    default_code = "not_your_store"
    default_zh = "只能提交本机构自己的调阅回执。"
    default_en = "You can hand in only receipts of your own store."


class ChainBroken(Conflict):
    """A receipt that contradicts one handed in before: another text under the same number, or a link that does not fit."""

    default_code = "receipt_chain_broken"
    default_zh = "第 {number} 号回执与此前提交的回执链不一致，已拒绝；请立即核查本机构的回执库。"
    default_en = "Receipt {number} contradicts the chain handed in before and was refused. Check your receipt store at once."
