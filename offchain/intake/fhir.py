"""A folder of FHIR R4 bulk export files (NDJSON): what a hospital's front-end node puts out (HL7 Bulk Data Access 2.0).

Any file may hold any resource type in any order. Patients are read in a first pass, so that nothing has to wait for its patient.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from offchain.intake import fhir_mapping, manifest
from offchain.intake.lines import LONGEST, Line, lines, text
from offchain.intake.port import Draft, Ignored, SourceFault, SourceRecord
from offchain.quality import Rule

_PATIENT = re.compile(rb'"resourceType"\s*:\s*"Patient"')
_DIRECTORY = frozenset({"Organization", "Practitioner", "PractitionerRole", "Location", "Group", "Provenance"})


class FhirFolder:
    """``*.ndjson`` files in one folder. ``encoding``: what the source writes, if it is not UTF-8."""

    def __init__(
        self, folder: Path, name: str, *, full: bool | None = None, encoding: str = "utf-8", longest: int = LONGEST
    ) -> None:
        self.name = name
        self.full = manifest.is_full(folder) if full is None else full
        self._files = sorted(folder.glob("*.ndjson"))
        self._encoding = encoding
        self._longest = longest
        if not self._files:
            raise FileNotFoundError(f"{folder}: no *.ndjson files in it")

    def read(self) -> Iterator[SourceRecord | SourceFault]:
        """See :class:`offchain.intake.port.Source`."""
        yield from self._pass(patients=True)
        yield from self._pass(patients=False)

    def map(self, record: SourceRecord) -> Draft | Ignored:
        """See :class:`offchain.intake.port.Source`."""
        if record.type in _DIRECTORY:
            return Ignored("directory")
        mapping = fhir_mapping.MAPPINGS.get(record.type)
        if mapping is None:
            return Ignored("export log" if record.type == "log" else "unknown type")
        draft = mapping(dict(record.data))
        draft.retracted = fhir_mapping.entered_in_error(record.data)
        return draft

    def _pass(self, *, patients: bool) -> Iterator[SourceRecord | SourceFault]:
        for path in self._files:
            for line in lines(path, self._longest):
                item = self._item(path.name, line, patients=patients)
                if item is not None:
                    yield item

    def _item(self, file: str, line: Line, *, patients: bool) -> SourceRecord | SourceFault | None:
        # A cheap look first: most lines of most files cannot be patients and need not be parsed twice.
        if patients and (line.data is None or not _PATIENT.search(line.data)):
            return None
        if line.data is not None and not line.data.strip():
            return None
        read = self._parse(file, line)
        is_patient = isinstance(read, SourceRecord) and read.type == "Patient"
        return read if is_patient == patients else None

    def _parse(self, file: str, line: Line) -> SourceRecord | SourceFault:
        decoded = text(line, self._encoding)
        if not isinstance(decoded, str):
            return SourceFault(file, line.number, *decoded, line.data)
        try:
            resource: Any = orjson.loads(decoded)
        except orjson.JSONDecodeError as error:
            return SourceFault(file, line.number, Rule.JSON, f"{error.msg} at character {error.pos}", line.data)
        return self._record(file, line, resource)

    def _record(self, file: str, line: Line, resource: Any) -> SourceRecord | SourceFault:
        raw = line.data or b""
        if not isinstance(resource, dict):
            return SourceFault(file, line.number, Rule.JSON, "not an object", raw)
        kind = resource.get("resourceType")
        if not isinstance(kind, str):
            if "eventId" in resource:
                return SourceRecord("log", f"{file}:{line.number}", raw, resource, file, line.number)
            return SourceFault(file, line.number, Rule.JSON, "no resourceType", raw)
        if not isinstance(resource.get("id"), str) or not resource["id"] or "\0" in resource["id"]:
            return SourceFault(file, line.number, Rule.NO_ID, kind, raw)
        return SourceRecord(kind, resource["id"], raw, resource, file, line.number)
