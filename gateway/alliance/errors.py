"""Refusals of the alliance's rooms."""

from __future__ import annotations

from core.errors import Unprocessable


class ProfileMismatch(Unprocessable):
    """A profile that is not what the ledger holds a digest of."""

    default_code = "profile_mismatch"
    default_zh = "机构代码或名称与账本登记的摘要不一致，请使用登记时的代码和全称。"
    default_en = "Code or name do not match the digests on the ledger. Use those the organisation was registered with."
