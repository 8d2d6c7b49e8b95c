"""FHIR R4 resources to the standard model: one function a resource type, element names as in offchain/standards/documents.

Values keep what the source wrote: codes with their system and words, times with their zone. Nothing is guessed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from offchain.intake import systems
from offchain.intake.port import Draft, Identity, Link, Person
from offchain.quality import Rule, resident_id_valid

Resource = Mapping[str, Any]
_EXTENSION = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_HL7 = "http://hl7.org/fhir/StructureDefinition/"
_CN = "urn:healthtrust:extension:"
_ELEMENT_OF_SYSTEM = {
    systems.RESIDENT_ID: "national-id",
    systems.SSN: "national-id",
    systems.PASSPORT: "passport",
    systems.DRIVER: "driving-licence",
}
_CATEGORY_TYPES = {"laboratory": "laboratory-result", "vital-signs": "vital-sign"}


def entered_in_error(resource: Resource) -> bool:
    """Whether the source takes the resource back."""
    verification = code(resource.get("verificationStatus"))
    return resource.get("status") == "entered-in-error" or bool(verification and verification["code"] == "entered-in-error")


def patient(r: Resource) -> Draft:
    """Patient → patient-summary."""
    identities = _identities(r)
    name, former = _names(r)
    values = {
        "name": name,
        "gender": r.get("gender"),
        "birth-date": r.get("birthDate"),
        "deceased": r.get("deceasedDateTime"),
        "phone": next((t.get("value") for t in _list(r, "telecom") if t.get("system") == "phone"), None),
        "address": _address(_first(r, "address")),
        "marital-status": code(r.get("maritalStatus")),
        "race": _extension_coding(r, _EXTENSION + "race"),
        "ethnic-group": _extension_coding(r, _EXTENSION + "ethnicity") or _extension(r, _CN + "ethnic-group"),
        "birth-place": _address(_extension(r, _HL7 + "patient-birthPlace")),
        "language": code(_first(r, "communication").get("language")),
        "former-name": former,
        "prefix": _first(_first(r, "name"), "prefix", str) or None,
        "managing-organisation": display(r.get("managingOrganization")),
        "abo": _extension(r, _CN + "abo"),
        "rh": _extension(r, _CN + "rh"),
        **_identifier_elements(r),
    }
    numbers = dict(identities)
    number = next((numbers[s] for s in systems.NUMBERS if s in numbers), None)
    person = Person(identities, str(name or ""), str(r.get("birthDate") or ""), number)
    draft = Draft("patient-summary", None, values, _meta(r), person)
    if systems.RESIDENT_ID in numbers and not resident_id_valid(numbers[systems.RESIDENT_ID]):
        draft.findings.append((Rule.CHECK_DIGIT, "national-id"))
    return draft


def encounter(r: Resource) -> Draft:
    """Encounter → encounter."""
    period = _object(r, "period")
    values = {
        "class": coding(_object(r, "class")),
        "type": code(_first(r, "type")),
        "start": period.get("start"),
        "end": period.get("end"),
        "organisation": display(r.get("serviceProvider")),
        "department": _words(r.get("serviceType")),
        "practitioner": display(_first(r, "participant").get("individual")),
        "reason": code(_first(r, "reasonCode")),
        "chief-complaint": _first(r, "reasonCode").get("text"),
        "status": r.get("status"),
        "location": display(_first(r, "location").get("location")),
        "disposition": code(_object(r, "hospitalization").get("dischargeDisposition")),
        "visit-number": _first(r, "identifier").get("value"),
    }
    return Draft("encounter", subject(r), values, period.get("start"), codes=_codes(_first(r, "reasonCode")))


def condition(r: Resource) -> Draft:
    """Condition → diagnosis."""
    values = {
        "code": code(r.get("code")),
        "name": _words(r.get("code")),
        "clinical-status": code(r.get("clinicalStatus")),
        "verification-status": code(r.get("verificationStatus")),
        "onset": r.get("onsetDateTime"),
        "abatement": r.get("abatementDateTime"),
        "recorded": r.get("recordedDate"),
        "category": code(_first(r, "category")),
        "encounter": link(r.get("encounter")),
        "practitioner": display(r.get("recorder")),
        "note": _first(r, "note").get("text"),
    }
    return Draft("diagnosis", subject(r), values, r.get("recordedDate") or r.get("onsetDateTime"), codes=_codes(r.get("code")))


def observation(r: Resource) -> Draft:
    """Observation → laboratory-result, vital-sign or social-history, after its category."""
    kind = next((c["code"] for c in (code(x) for x in _list(r, "category")) if c), "")
    quantity, limits = _object(r, "valueQuantity"), _first(r, "referenceRange")
    time = r.get("effectiveDateTime") or _object(r, "effectivePeriod").get("start") or r.get("issued")
    values = {
        "code": code(r.get("code")),
        "name": _words(r.get("code")),
        "value": quantity.get("value", r.get("valueInteger")),
        "unit": quantity.get("code") or quantity.get("unit"),
        "text": r.get("valueString") or _words(r.get("valueCodeableConcept")),
        "time": time,
        "encounter": link(r.get("encounter")),
        "organisation": display(_first(r, "performer")),
        "status": r.get("status"),
        "category": kind or None,
    }
    document = _CATEGORY_TYPES.get(kind, "social-history")
    if document != "social-history":
        values["low"] = _object(limits, "low").get("value")
        values["high"] = _object(limits, "high").get("value")
        values["interpretation"] = code(_first(r, "interpretation"))
    if document == "laboratory-result":
        values["specimen"] = code(r.get("specimen")) or _plain(display(r.get("specimen")))
    return Draft(document, subject(r), values, time, codes=_codes(r.get("code")))


def medication_request(r: Resource) -> Draft:
    """MedicationRequest → medication."""
    dosage, dispense = _first(r, "dosageInstruction"), _object(r, "dispenseRequest")
    quantity = _object(_first(dosage, "doseAndRate"), "doseQuantity")
    values = {
        "code": code(r.get("medicationCodeableConcept")),
        "name": _words(r.get("medicationCodeableConcept")) or display(r.get("medicationReference")),
        "status": r.get("status"),
        "start": r.get("authoredOn"),
        "end": _object(dispense, "validityPeriod").get("end"),
        "instruction": dosage.get("text"),
        "frequency": _frequency(_object(_object(dosage, "timing"), "repeat")),
        "dose": quantity.get("value"),
        "dose-unit": quantity.get("unit"),
        "route": code(dosage.get("route")),
        "as-needed": dosage.get("asNeededBoolean"),
        "reason": code(_first(r, "reasonCode")) or _plain(display(_first(r, "reasonReference"))),
        "prescriber": display(r.get("requester")),
        "encounter": link(r.get("encounter")),
        "intent": r.get("intent"),
        "category": code(_first(r, "category")),
        "dispenses": dispense.get("numberOfRepeatsAllowed"),
    }
    return Draft("medication", subject(r), values, r.get("authoredOn"), codes=_codes(_first(r, "reasonCode")))


def procedure(r: Resource) -> Draft:
    """Procedure → procedure."""
    period = _object(r, "performedPeriod")
    start = period.get("start") or r.get("performedDateTime")
    values = {
        "code": code(r.get("code")),
        "name": _words(r.get("code")),
        "start": start,
        "end": period.get("end"),
        "status": r.get("status"),
        "reason": code(_first(r, "reasonCode")) or _plain(display(_first(r, "reasonReference"))),
        "encounter": link(r.get("encounter")),
        "location": display(r.get("location")),
        "performer": display(_first(r, "performer").get("actor")),
    }
    return Draft("procedure", subject(r), values, start, codes=_codes(r.get("code")))


def immunization(r: Resource) -> Draft:
    """Immunization → immunization."""
    values = {
        "code": code(r.get("vaccineCode")),
        "name": _words(r.get("vaccineCode")),
        "time": r.get("occurrenceDateTime"),
        "status": r.get("status"),
        "encounter": link(r.get("encounter")),
        "location": display(r.get("location")),
        "lot": r.get("lotNumber"),
        "dose-number": _first(r, "protocolApplied").get("doseNumberPositiveInt"),
        "manufacturer": display(r.get("manufacturer")),
        "primary-source": r.get("primarySource"),
    }
    return Draft("immunization", subject(r), values, r.get("occurrenceDateTime"))


def allergy(r: Resource) -> Draft:
    """AllergyIntolerance → allergy."""
    reactions = [code(m) for reaction in _list(r, "reaction") for m in _list(reaction, "manifestation")]
    values = {
        "code": code(r.get("code")),
        "name": _words(r.get("code")),
        "type": r.get("type"),
        "category": _first(r, "category", str) or None,
        "criticality": r.get("criticality"),
        "reactions": [x for x in reactions if x] or None,
        "clinical-status": code(r.get("clinicalStatus")),
        "verification-status": code(r.get("verificationStatus")),
        "onset": r.get("onsetDateTime"),
        "recorded": r.get("recordedDate"),
        "encounter": link(r.get("encounter")),
    }
    return Draft("allergy", subject(r), values, r.get("recordedDate") or r.get("onsetDateTime"))


def document_reference(r: Resource) -> Draft:
    """DocumentReference → clinical-note, its base64 text decoded."""
    context, attachment = _object(r, "context"), _object(_first(r, "content"), "attachment")
    period = _object(context, "period")
    note, finding = _attachment(attachment)
    values = {
        "type": code(r.get("type")),
        "title": r.get("description") or attachment.get("title") or _words(r.get("type")),
        "time": r.get("date"),
        "text": note,
        "content-type": attachment.get("contentType"),
        "author": display(_first(r, "author")),
        "organisation": display(r.get("custodian")),
        "encounter": link(_first(context, "encounter")),
        "status": r.get("status"),
        "start": period.get("start"),
        "end": period.get("end"),
        "category": code(_first(r, "category")),
    }
    return Draft("clinical-note", subject(r), values, r.get("date"), findings=[finding] if finding else [])


def imaging_study(r: Resource) -> Draft:
    """ImagingStudy → imaging-study (its first series)."""
    series = _first(r, "series")
    instance = _first(series, "instance")
    values = {
        "modality": coding(_object(series, "modality")) or coding(_first(r, "modality")),
        "body-site": coding(_object(series, "bodySite")),
        "time": r.get("started"),
        "procedure": code(_first(r, "procedureCode")),
        "findings": _first(r, "note").get("text"),
        "conclusion": r.get("description"),
        "series-uid": series.get("uid"),
        "instance-uid": instance.get("uid"),
        "sop-class": coding(_object(instance, "sopClass")),
        "encounter": link(r.get("encounter")),
        "location": display(r.get("location")),
    }
    return Draft("imaging-study", subject(r), values, r.get("started"))


def care_plan(r: Resource) -> Draft:
    """CarePlan → care-plan."""
    period = _object(r, "period")
    plan: Resource = next((c for c in _list(r, "category") if code(c)), {})
    values = {
        "code": code(plan),
        "name": r.get("title") or _words(plan),
        "start": period.get("start"),
        "end": period.get("end"),
        "reason": _plain(display(_first(r, "addresses"))),
        "encounter": link(r.get("encounter")),
        "status": r.get("status"),
        "description": r.get("description"),
        "author": display(r.get("author")),
    }
    return Draft("care-plan", subject(r), values, period.get("start"))


def device(r: Resource) -> Draft:
    """Device → device."""
    carrier = _first(r, "udiCarrier")
    values = {
        "code": code(r.get("type")),
        "name": _first(r, "deviceName").get("name") or _words(r.get("type")),
        "udi": carrier.get("carrierHRF"),
        "device-identifier": carrier.get("deviceIdentifier") or r.get("distinctIdentifier"),
        "status": r.get("status"),
        "manufactured": r.get("manufactureDate"),
        "expires": r.get("expirationDate"),
        "lot": r.get("lotNumber"),
        "serial": r.get("serialNumber"),
    }
    return Draft("device", subject(r), values, r.get("manufactureDate"))


MAPPINGS: Mapping[str, Callable[[Resource], Draft]] = {
    "Patient": patient,
    "Encounter": encounter,
    "Condition": condition,
    "Observation": observation,
    "MedicationRequest": medication_request,
    "Procedure": procedure,
    "Immunization": immunization,
    "AllergyIntolerance": allergy,
    "DocumentReference": document_reference,
    "ImagingStudy": imaging_study,
    "CarePlan": care_plan,
    "Device": device,
}


def subject(r: Resource) -> Identity | None:
    """The identity behind ``subject`` or ``patient``: a source id (system ""), or the identifier of a conditional reference."""
    reference = _object(r, "subject").get("reference") or _object(r, "patient").get("reference")
    if not isinstance(reference, str):
        return None
    if reference.startswith("Patient?identifier="):
        system, _, value = reference.removeprefix("Patient?identifier=").partition("|")
        return (system, value) if value else None
    return "", reference.rsplit("/", 1)[-1].removeprefix("urn:uuid:")


def link(reference: Any) -> Link | None:
    """A literal reference to another resource of the same export."""
    target = reference.get("reference") if isinstance(reference, Mapping) else None
    if not isinstance(target, str) or "?" in target or "/" not in target:
        return None
    kind, _, name = target.rpartition("/")
    return Link(kind.rsplit("/", 1)[-1], name)


def display(reference: Any) -> str | None:
    """The words beside a reference."""
    words = reference.get("display") if isinstance(reference, Mapping) else None
    return words if isinstance(words, str) and words else None


def coding(value: Any) -> dict[str, str] | None:
    """A Coding as code, system and words."""
    if not isinstance(value, Mapping) or not value.get("code"):
        return None
    return {k: str(value[k]) for k in ("code", "system", "display") if value.get(k)}


def code(concept: Any) -> dict[str, str] | None:
    """The first coding of a CodeableConcept; where it has only words, these."""
    if not isinstance(concept, Mapping):
        return None
    first = next((c for c in map(coding, _list(concept, "coding")) if c), None)
    return first or _plain(concept.get("text"))


def _plain(words: Any) -> dict[str, str] | None:
    return {"code": words, "display": words} if isinstance(words, str) and words else None


def _words(concept: Any) -> str | None:
    if not isinstance(concept, Mapping):
        return None
    words = concept.get("text") or next((c.get("display") for c in _list(concept, "coding") if c.get("display")), None)
    return str(words) if words else None


def _codes(concept: Any) -> tuple[Identity, ...]:
    codings = _list(concept, "coding") if isinstance(concept, Mapping) else []
    return tuple((str(c.get("system", "")), str(c.get("code", ""))) for c in codings)


def _list(r: Resource, name: str) -> list[Any]:
    value = r.get(name)
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def _first(r: Resource, name: str, kind: type = Mapping) -> Any:
    value = r.get(name)
    found = next((v for v in value if isinstance(v, kind)), None) if isinstance(value, list) else None
    return found if found is not None else {}


def _object(r: Resource, name: str) -> Resource:
    value = r.get(name)
    return value if isinstance(value, Mapping) else {}


def _meta(r: Resource) -> str | None:
    updated = _object(r, "meta").get("lastUpdated")
    return updated if isinstance(updated, str) else None


def _identities(r: Resource) -> tuple[Identity, ...]:
    given = [(str(i.get("system")), str(i["value"])) for i in _list(r, "identifier") if i.get("system") and i.get("value")]
    order = {system: n for n, system in enumerate(systems.STRENGTH)}
    return tuple(sorted(given, key=lambda i: order.get(i[0], len(order))))


def _identifier_elements(r: Resource) -> dict[str, str]:
    elements: dict[str, str] = {}
    for identifier in _list(r, "identifier"):
        name = _ELEMENT_OF_SYSTEM.get(str(identifier.get("system")))
        medical = code(identifier.get("type"))
        if name is None and medical and medical["code"] == "MR":
            name = "record-number"
        if name and identifier.get("value"):
            elements.setdefault(name, str(identifier["value"]))
    return elements


def _names(r: Resource) -> tuple[str | None, str | None]:
    names = _list(r, "name")
    usual = next((n for n in names if n.get("use") in ("official", None)), names[0] if names else {})
    former: Resource = next((n for n in names if n.get("use") in ("maiden", "old")), {})
    return _name(usual), _name(former)


def _name(name: Resource) -> str | None:
    if name.get("text"):
        return str(name["text"])
    given = name.get("given")
    parts = [*(given if isinstance(given, list) else []), name.get("family")]
    return " ".join(str(p) for p in parts if p) or None


def _address(address: Any) -> str | None:
    if not isinstance(address, Mapping):
        return None
    if address.get("text"):
        return str(address["text"])
    line = address.get("line")
    parts = [*(line if isinstance(line, list) else []), *(address.get(k) for k in ("city", "state", "postalCode", "country"))]
    return ", ".join(str(p) for p in parts if p) or None


def _extension(r: Resource, url: str) -> Any:
    found: Resource = next((e for e in _list(r, "extension") if e.get("url") == url), {})
    return next((v for k, v in found.items() if k.startswith("value")), None)


def _extension_coding(r: Resource, url: str) -> dict[str, str] | None:
    found: Resource = next((e for e in _list(r, "extension") if e.get("url") == url), {})
    return next((c for c in (coding(e.get("valueCoding")) for e in _list(found, "extension")) if c), None)


def _frequency(repeat: Resource) -> str | None:
    if not repeat.get("frequency"):
        return None
    return f"{repeat['frequency']}/{repeat.get('period', 1):g}{repeat.get('periodUnit', 'd')}"


def _attachment(attachment: Resource) -> tuple[str | None, tuple[Rule, str] | None]:
    data = attachment.get("data")
    if not isinstance(data, str):
        return None, None
    charset = str(attachment.get("contentType", "")).partition("charset=")[2].strip() or "utf-8"
    try:
        return base64.b64decode(data, validate=True).decode(charset), None
    except (binascii.Error, UnicodeDecodeError, LookupError):
        return None, (Rule.ATTACHMENT, "content.attachment.data")
