"""Names of identifier and code systems, as FHIR resources carry them."""

from __future__ import annotations

RESIDENT_ID = "urn:oid:2.16.156.10011.1.3"
"""居民身份证号 (WS/T 500 OID of the resident identity card)."""
SSN = "http://hl7.org/fhir/sid/us-ssn"
DRIVER = "urn:oid:2.16.840.1.113883.4.3.25"
PASSPORT = "http://standardhealthrecord.org/fhir/StructureDefinition/passportNumber"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX = "http://hl7.org/fhir/sid/cvx"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
UCUM = "http://unitsofmeasure.org"

STRENGTH = (RESIDENT_ID, SSN, PASSPORT, DRIVER)
"""Identifiers that name a person everywhere, strongest first; others name a person only within the system that gave them."""
NUMBERS = (RESIDENT_ID, SSN)
"""The identifiers people type to find themselves, in this order."""


def patient_of(source: str) -> str:
    """System of a source's own patient ids."""
    return f"urn:healthtrust:source:{source}:patient"
