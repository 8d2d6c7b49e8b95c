"""A folder of relational CSV tables: what a district platform's backup database puts out (Synthea's columns)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from offchain.intake import manifest, table_mapping
from offchain.intake.csv_rows import Row, rows
from offchain.intake.lines import LONGEST, lines
from offchain.intake.port import Draft, Ignored, SourceFault, SourceRecord
from offchain.intake.table_mapping import TABLES, Table
from offchain.quality import Rule


class CsvFolder:
    """One CSV file a table, the header in its first row. ``encoding``: what the source writes, if it is not UTF-8."""

    def __init__(
        self, folder: Path, name: str, *, full: bool | None = None, encoding: str = "utf-8", longest: int = LONGEST
    ) -> None:
        self.name = name
        self.full = manifest.is_full(folder) if full is None else full
        self._encoding = encoding
        self._longest = longest
        self._files = sorted(folder.glob("*.csv"), key=lambda p: (p.stem != "patients", p.name))
        if not self._files:
            raise FileNotFoundError(f"{folder}: no *.csv files in it")
        self._names = {t: self._directory(folder / f"{t}.csv") for t in ("organizations", "providers")}

    def read(self) -> Iterator[SourceRecord | SourceFault]:
        """See :class:`offchain.intake.port.Source`."""
        for path in self._files:
            table = TABLES.get(path.stem)
            if table is None:
                yield from self._unknown(path)
            else:
                yield from self._table(path, table)

    def map(self, record: SourceRecord) -> Draft | Ignored:
        """See :class:`offchain.intake.port.Source`."""
        table = TABLES.get(record.type)
        if table is None:
            return Ignored("directory" if record.type in self._names else "unknown type")
        return table.map(table_mapping.Fields(record.data, self._names["organizations"], self._names["providers"]))

    def _table(self, path: Path, table: Table) -> Iterator[SourceRecord | SourceFault]:
        found = rows(path, self._encoding, self._longest)
        header = next(found, None)
        if header is None:
            return
        columns = [c.strip() for c in header.fields] if isinstance(header, Row) else []
        missing = [c for c in table.required if c not in columns]
        if missing:
            yield self._refused(path, header, missing)
            return
        for item in found:
            yield self._record(path, table, columns, item) if isinstance(item, Row) else item

    def _record(self, path: Path, table: Table, columns: list[str], row: Row) -> SourceRecord | SourceFault:
        raw = row.text.encode()
        if len(row.fields) != len(columns):
            detail = f"{len(row.fields)} columns, the header has {len(columns)}"
            return SourceFault(path.name, row.line, Rule.COLUMNS, detail, raw)
        data = dict(zip(columns, row.fields, strict=True))
        key = [data[c] for c in table.key]
        if not all(key[: table.key_needed]) or "\0" in row.text:
            return SourceFault(path.name, row.line, Rule.NO_ID, " ".join(table.key), raw)
        return SourceRecord(path.stem, "|".join(key), raw, data, path.name, row.line, table.named)

    def _refused(self, path: Path, header: Row | SourceFault, missing: list[str]) -> SourceFault:
        if isinstance(header, SourceFault) and header.rule is not Rule.CSV_ROW:
            rule, detail = header.rule, f"header: {header.detail}"
        else:
            rule, detail = Rule.MISSING_COLUMNS, f"missing: {', '.join(missing)}"
        count = sum(1 for line in lines(path, self._longest) if line.length)
        return SourceFault(path.name, 1, rule, f"{detail}; the file was not read", None, count)

    def _unknown(self, path: Path) -> Iterator[SourceRecord | SourceFault]:
        found = rows(path, self._encoding, self._longest)
        next(found, None)
        for item in found:
            yield (
                SourceRecord(path.stem, str(item.line), item.text.encode(), {}, path.name, item.line)
                if isinstance(item, Row)
                else item
            )

    def _directory(self, path: Path) -> dict[str, str]:
        if not path.exists():
            return {}
        found = (r.fields for r in rows(path, self._encoding, self._longest) if isinstance(r, Row))
        columns = next(found, [])
        if "Id" not in columns or "NAME" not in columns:
            return {}
        at, name = columns.index("Id"), columns.index("NAME")
        return {fields[at]: fields[name] for fields in found if len(fields) == len(columns)}
