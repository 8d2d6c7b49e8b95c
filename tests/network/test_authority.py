"""Certificates that our own authority issues: for whom, in which role, under which root."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from network.fabric.authority import Authority
from network.fabric.layout import Layout, load
from network.processes import NetworkError


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "org1", "Org1MSP").make()


def test_an_account_gets_a_certificate_for_its_own_key_under_the_organisations_root(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = x509.load_pem_x509_certificate(authority.issue("gateway", key.public_key()))
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.root("identity")))
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value == "client"
    assert not any(e.value.ca for e in certificate.extensions if isinstance(e.value, x509.BasicConstraints))


def test_tls_has_a_root_of_its_own_and_names_the_host(authority: Authority) -> None:
    folder = authority.enrol("peer", "peer", "127.0.0.1")
    certificate = x509.load_pem_x509_certificate((folder / "tls" / "server.crt").read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.root("tls")))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert authority.root("tls") != authority.root("identity")


def test_keys_are_for_their_owner_only_and_nothing_is_made_twice(authority: Authority) -> None:
    folder = authority.enrol("peer", "peer", "127.0.0.1")
    files = {path: path.read_bytes() for path in authority.folder.rglob("*") if path.is_file()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    Authority(authority.folder, authority.msp).make().enrol("peer", "peer", "127.0.0.1")
    assert (folder / "msp" / "keystore" / "key.pem") in files
    assert {path: path.read_bytes() for path in files} == files


def test_a_layout_comes_back_as_it_was_saved_and_never_uses_a_place_twice(tmp_path: Path) -> None:
    plan = Layout(tmp_path, "health", "raft", 20000, {}).with_organisation("org1").with_organisation("org2")
    plan.save()
    assert load(tmp_path) == plan
    left = plan.without_organisation("org2")
    assert [o.name for o in left.organisations] == ["org1"]
    assert left.with_organisation("org3").organisation("org3").port > plan.organisation("org2").port
    assert left.with_organisation("org2") == plan
    addresses = [o.port for o in (*plan.orderers, *plan.organisations)]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize("name", ["", "Org1", "org-1", "1org", "orderer1", "org1"])
def test_names_that_cannot_be_taken_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NetworkError):
        Layout(tmp_path, "health", "raft", 20000, {}).with_organisation("org1").with_organisation(name)
