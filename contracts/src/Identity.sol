// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Governed} from "./Governed.sol";
import {IIdentity} from "./interfaces/IIdentity.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {ISM2Verifier} from "./interfaces/ISM2Verifier.sol";
import {Messages} from "./libraries/Messages.sol";
import {Vocabulary} from "./libraries/Vocabulary.sol";
import {CredentialState, CredentialStatus, OrganisationStatus} from "./types/Types.sol";

/// @title See IIdentity
contract Identity is IIdentity, Governed {
    struct Key {
        bytes32 x;
        bytes32 y;
        bytes32 z;
        uint32 version; // 0: no key
        uint64 nonce;
    }

    struct Recovery {
        bytes32 x;
        bytes32 y;
        bytes32 registrar;
        uint64 executableAt;
    }

    struct Credential {
        bytes32 organisation;
        bytes32 x;
        bytes32 y;
        uint64 notBefore;
        uint64 notAfter;
        uint32 roles;
        CredentialStatus status;
    }

    /// @inheritdoc IIdentity
    uint64 public constant RECOVERY_DELAY = 7 days;

    ISM2Verifier private immutable _crypto;
    bytes32 private immutable _domain;
    mapping(bytes32 subject => Key) private _keys;
    mapping(bytes32 subject => Recovery) private _recoveries;
    mapping(bytes32 practitioner => Credential) private _credentials;
    mapping(bytes32 practitioner => uint64) private _credentialNonces;

    constructor(IRegistry registry, ISM2Verifier crypto) Governed(registry) {
        _crypto = crypto;
        _domain = Messages.domain(crypto, _alliance.ledgerId(), address(this));
    }

    /// @inheritdoc IIdentity
    function bindKey(
        bytes32 subject,
        bytes32 x,
        bytes32 y,
        bytes calldata possession,
        bytes32 registrar,
        bytes calldata attestation
    ) external whenThawed {
        _activeCaller(0);
        if (subject == 0) revert ZeroValue();
        if (_keys[subject].version != 0) revert KeyExists(subject);
        bytes32 z = _requirePossession(subject, x, y, possession);
        _requireAttestation(registrar, abi.encode(Messages.KEY_ATTEST, _domain, subject, x, y), attestation);
        emit KeyBound(subject, x, y, registrar, _setKey(subject, x, y, z));
    }

    /// @inheritdoc IIdentity
    function rotateKey(bytes32 subject, bytes32 x, bytes32 y, bytes calldata signature, bytes calldata possession)
        external
        whenThawed
    {
        Key storage k = _keyed(subject);
        if (k.x == x && k.y == y) revert SameKey(subject);
        _requireOwn(k, abi.encode(Messages.KEY_ROTATE, _domain, subject, x, y, uint256(k.nonce)), signature);
        bytes32 z = _requirePossession(subject, x, y, possession);
        ++k.nonce;
        if (_recoveries[subject].executableAt != 0) _veto(subject);
        emit KeyRotated(subject, x, y, _setKey(subject, x, y, z));
    }

    /// @inheritdoc IIdentity
    function requestRecovery(
        bytes32 subject,
        bytes32 x,
        bytes32 y,
        bytes calldata possession,
        bytes32 registrar,
        bytes calldata attestation
    ) external whenThawed {
        _activeCaller(0);
        Key storage k = _keyed(subject);
        if (_recoveries[subject].executableAt != 0) revert RecoveryPending(subject);
        if (k.x == x && k.y == y) revert SameKey(subject);
        _requirePossession(subject, x, y, possession);
        bytes memory message = abi.encode(Messages.KEY_RECOVER, _domain, subject, x, y, uint256(k.nonce));
        _requireAttestation(registrar, message, attestation);
        ++k.nonce;
        uint64 executableAt = uint64(block.timestamp) + RECOVERY_DELAY;
        _recoveries[subject] = Recovery(x, y, registrar, executableAt);
        emit RecoveryRequested(subject, x, y, registrar, executableAt);
    }

    /// @inheritdoc IIdentity
    function vetoRecovery(bytes32 subject, bytes calldata signature) external {
        Recovery storage pending = _recoveries[subject];
        if (pending.executableAt == 0) revert NoRecovery(subject);
        Key storage k = _keys[subject];
        _requireOwn(k, abi.encode(Messages.KEY_VETO, _domain, subject, pending.x, pending.y, uint256(k.nonce)), signature);
        ++k.nonce;
        _veto(subject);
    }

    /// @inheritdoc IIdentity
    function recoverKey(bytes32 subject) external whenThawed {
        Recovery memory pending = _recoveries[subject];
        if (pending.executableAt == 0) revert NoRecovery(subject);
        if (block.timestamp < pending.executableAt) revert TooEarly(pending.executableAt);
        delete _recoveries[subject];
        bytes32 z = _crypto.zOf(pending.x, pending.y);
        emit KeyRecovered(subject, pending.x, pending.y, _setKey(subject, pending.x, pending.y, z));
    }

    /// @inheritdoc IIdentity
    function issueCredential(
        bytes32 practitioner,
        bytes32 x,
        bytes32 y,
        uint32 roles,
        uint64 notBefore,
        uint64 notAfter,
        bytes calldata signature
    ) external whenThawed {
        bytes32 issuer = _activeCaller(0);
        if (practitioner == 0) revert ZeroValue();
        if (roles == 0 || roles >> Vocabulary.ROLES != 0) revert UnknownRoles(roles);
        if (notBefore >= notAfter || notAfter <= block.timestamp) revert BadPeriod(notBefore, notAfter);
        if (!_crypto.isOnCurve(x, y)) revert KeyOffCurve(x, y);
        _requireTransferable(practitioner, issuer, x, y);
        bytes memory words = abi.encode(x, y, uint256(roles), uint256(notBefore), uint256(notAfter));
        _requireIssuer(Messages.CREDENTIAL_ISSUE, issuer, practitioner, words, signature);
        _credentials[practitioner] = Credential(issuer, x, y, notBefore, notAfter, roles, CredentialStatus.Active);
        emit CredentialIssued(practitioner, issuer, x, y, roles, notBefore, notAfter);
    }

    /// @inheritdoc IIdentity
    function revokeCredential(bytes32 practitioner, bytes calldata signature) external {
        bytes32 issuer = _activeCaller(0);
        Credential storage c = _credentials[practitioner];
        if (c.status != CredentialStatus.Active) revert NoCredential(practitioner);
        if (c.organisation != issuer) revert CredentialHeld(practitioner, c.organisation);
        _requireIssuer(Messages.CREDENTIAL_REVOKE, issuer, practitioner, "", signature);
        c.status = CredentialStatus.Revoked;
        emit CredentialRevoked(practitioner, issuer);
    }

    /// @inheritdoc IIdentity
    function keyOf(bytes32 subject) external view returns (bytes32 x, bytes32 y, bytes32 z, uint8 status, uint32 version) {
        Key storage k = _keys[subject];
        return (k.x, k.y, k.z, k.version == 0 ? 0 : 1, k.version);
    }

    /// @inheritdoc IIdentity
    function nonceOf(bytes32 subject) external view returns (uint64) {
        return _keys[subject].nonce;
    }

    /// @inheritdoc IIdentity
    function recoveryOf(bytes32 subject) external view returns (bytes32 x, bytes32 y, bytes32 registrar, uint64 executableAt) {
        Recovery storage pending = _recoveries[subject];
        return (pending.x, pending.y, pending.registrar, pending.executableAt);
    }

    /// @inheritdoc IIdentity
    function credentialOf(bytes32 practitioner)
        external
        view
        returns (bytes32 organisation, bytes32 x, bytes32 y, uint32 roles, uint64 notBefore, uint64 notAfter, uint8 status)
    {
        Credential storage c = _credentials[practitioner];
        return (c.organisation, c.x, c.y, c.roles, c.notBefore, c.notAfter, uint8(c.status));
    }

    /// @inheritdoc IIdentity
    function credentialState(bytes32 practitioner) external view returns (CredentialState memory) {
        Credential storage c = _credentials[practitioner];
        return CredentialState(c.organisation, c.roles, c.notBefore, c.notAfter, uint8(c.status));
    }

    /// @inheritdoc IIdentity
    function credentialNonceOf(bytes32 practitioner) external view returns (uint64) {
        return _credentialNonces[practitioner];
    }

    /// @inheritdoc IIdentity
    function domain() external view returns (bytes32) {
        return _domain;
    }

    function _setKey(bytes32 subject, bytes32 x, bytes32 y, bytes32 z) private returns (uint32 version) {
        Key storage k = _keys[subject];
        (k.x, k.y, k.z) = (x, y, z);
        version = ++k.version;
    }

    function _veto(bytes32 subject) private {
        Recovery memory pending = _recoveries[subject];
        delete _recoveries[subject];
        emit RecoveryVetoed(subject, pending.x, pending.y);
    }

    function _keyed(bytes32 subject) private view returns (Key storage k) {
        k = _keys[subject];
        if (k.version == 0) revert NoKey(subject);
    }

    function _requirePossession(bytes32 subject, bytes32 x, bytes32 y, bytes calldata signature) private view returns (bytes32 z) {
        if (!_crypto.isOnCurve(x, y)) revert KeyOffCurve(x, y);
        z = _crypto.zOf(x, y);
        bytes memory message = abi.encode(Messages.KEY_BIND, _domain, subject, x, y);
        _requireSignature(z, message, signature, x, y, Messages.KEY_BIND);
    }

    function _requireOwn(Key storage k, bytes memory message, bytes calldata signature) private view {
        _requireSignature(k.z, message, signature, k.x, k.y, bytes32(message));
    }

    function _requireAttestation(bytes32 registrar, bytes memory message, bytes calldata signature) private view {
        (uint8 status, uint32 roles,,,,) = _alliance.organisation(registrar);
        if (status != uint8(OrganisationStatus.Active) || roles & ROLE_REGISTRAR == 0) revert NotRegistrar(registrar);
        (bytes32 x, bytes32 y, bytes32 z,) = _alliance.keyOf(registrar);
        _requireSignature(z, message, signature, x, y, bytes32(message));
    }

    /// @dev The organisation itself, not only whoever holds its ledger account: kind, domain, organisation, practitioner, words, nonce.
    function _requireIssuer(bytes32 kind, bytes32 issuer, bytes32 practitioner, bytes memory words, bytes calldata signature) private {
        uint256 nonce = _credentialNonces[practitioner]++;
        bytes memory message = bytes.concat(abi.encode(kind, _domain, issuer, practitioner), words, abi.encode(nonce));
        (bytes32 x, bytes32 y, bytes32 z,) = _alliance.keyOf(issuer);
        _requireSignature(z, message, signature, x, y, kind);
    }

    function _requireSignature(bytes32 z, bytes memory message, bytes calldata signature, bytes32 x, bytes32 y, bytes32 kind)
        private
        view
    {
        if (signature.length != 64) revert BadSignatureLength(signature.length);
        (bool valid,) = _crypto.verifyMessage(z, message, bytes32(signature[:32]), bytes32(signature[32:]), x, y);
        if (!valid) revert BadSignature(kind);
    }

    function _requireTransferable(bytes32 practitioner, bytes32 issuer, bytes32 x, bytes32 y) private view {
        Credential storage c = _credentials[practitioner];
        if (c.status == CredentialStatus.None || c.organisation == issuer) return;
        bool ended = c.status == CredentialStatus.Revoked || block.timestamp >= c.notAfter;
        if (!ended) revert CredentialHeld(practitioner, c.organisation);
        if (c.x != x || c.y != y) revert KeyOfAnother(practitioner);
    }
}
