"""Refusals of the index."""

from __future__ import annotations

from core.errors import Conflict, Forbidden, Unprocessable


class NotYours(Forbidden):
    """A batch in another organisation's name."""

    default_code = "not_your_batch"
    default_zh = "只能提交本机构自己的索引批次。"
    default_en = "You can hand in only your own organisation's batches."


class NotAnchored(Conflict):
    """The ledger does not hold this batch, or holds another root, range or count."""

    default_code = "batch_not_anchored"
    default_zh = "账本上没有此批次，或其根、起始序号、数量与提交的不一致。请在锚定交易确认后重试，并核对批次内容。"
    default_en = (
        "The ledger does not hold this batch, or with another root, first sequence or count. Wait for the "
        "anchoring transaction and check the batch."
    )


class EntriesWrong(Unprocessable):
    """Entries that are not the batch's."""

    default_code = "entries_wrong"
    default_zh = "批次内容不符合要求：{detail}。请核对后重新提交。"
    default_en = "The entries are not those of the batch: {detail}. Check them and hand them in again."
