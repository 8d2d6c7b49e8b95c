"""Refusals of schemas."""

from __future__ import annotations

from core.errors import Unprocessable


class SchemaMalformed(Unprocessable):
    """A document whose elements are not numbered as the format says."""

    default_code = "schema_malformed"
    default_zh = "文书类型定义不符合要求：elements 须从 1 起连续编号，最多 256 项。"
    default_en = "The document type is malformed: its elements are numbered from 1 without gaps, at most 256."
