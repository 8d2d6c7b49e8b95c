// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {CredentialState} from "../types/Types.sol";

/// @title Residents' SM2 keys and practitioners' credentials
/// @notice Every change of a resident's key carries SM2 signatures which this contract verifies over the messages of docs/formats.md §4.
/// Who relays a call has no say in it.
interface IIdentity {
    event KeyBound(bytes32 indexed subject, bytes32 x, bytes32 y, bytes32 indexed registrar, uint32 version);
    event KeyRotated(bytes32 indexed subject, bytes32 x, bytes32 y, uint32 version);
    event RecoveryRequested(bytes32 indexed subject, bytes32 x, bytes32 y, bytes32 indexed registrar, uint64 executableAt);
    event RecoveryVetoed(bytes32 indexed subject, bytes32 x, bytes32 y);
    event KeyRecovered(bytes32 indexed subject, bytes32 x, bytes32 y, uint32 version);
    event CredentialIssued(
        bytes32 indexed practitioner,
        bytes32 indexed organisation,
        bytes32 x,
        bytes32 y,
        uint32 roles,
        uint64 notBefore,
        uint64 notAfter
    );
    event CredentialRevoked(bytes32 indexed practitioner, bytes32 indexed organisation);

    error ZeroValue();
    error KeyExists(bytes32 subject);
    error NoKey(bytes32 subject);
    error KeyOffCurve(bytes32 x, bytes32 y);
    error SameKey(bytes32 subject);
    error BadSignature(bytes32 kind);
    error BadSignatureLength(uint256 length);
    error NotRegistrar(bytes32 organisation);
    error RecoveryPending(bytes32 subject);
    error NoRecovery(bytes32 subject);
    error TooEarly(uint64 executableAt);
    error BadPeriod(uint64 notBefore, uint64 notAfter);
    error UnknownRoles(uint32 roles);
    error CredentialHeld(bytes32 practitioner, bytes32 organisation);
    error KeyOfAnother(bytes32 practitioner);
    error NoCredential(bytes32 practitioner);

    /// @notice Binds a subject's first key. possession: by the new key over key-bind/v1; attestation: by the registrar's SM2 key over
    /// key-attest/v1. Signatures are r‖s, 64 bytes.
    function bindKey(
        bytes32 subject,
        bytes32 x,
        bytes32 y,
        bytes calldata possession,
        bytes32 registrar,
        bytes calldata attestation
    ) external;

    /// @notice Replaces the key. signature: by the old key over key-rotate/v1; possession: by the new key over key-bind/v1. Ends a pending recovery.
    function rotateKey(bytes32 subject, bytes32 x, bytes32 y, bytes calldata signature, bytes calldata possession) external;

    /// @notice Starts the recovery of a lost key. attestation: by the registrar's SM2 key over key-recover/v1. Executable after RECOVERY_DELAY.
    function requestRecovery(
        bytes32 subject,
        bytes32 x,
        bytes32 y,
        bytes calldata possession,
        bytes32 registrar,
        bytes calldata attestation
    ) external;

    /// @notice Stops a pending recovery. signature: by the current key over key-veto/v1.
    function vetoRecovery(bytes32 subject, bytes calldata signature) external;

    /// @notice Executes a recovery whose delay has passed without a veto. Anyone may call it.
    function recoverKey(bytes32 subject) external;

    /// @notice Issues or replaces a credential of the caller's organisation. A credential of another organisation must have ended, and the
    /// practitioner keeps the key: an organisation cannot take over a practitioner with a key of its own.
    /// signature: by the organisation's SM2 key over credential-issue/v1; its ledger account alone makes nobody a doctor.
    function issueCredential(
        bytes32 practitioner,
        bytes32 x,
        bytes32 y,
        uint32 roles,
        uint64 notBefore,
        uint64 notAfter,
        bytes calldata signature
    ) external;

    /// @notice Ends a credential of the caller's organisation at once. signature: by the organisation's SM2 key over credential-revoke/v1.
    function revokeCredential(bytes32 practitioner, bytes calldata signature) external;

    /// @notice The nonce that the next signed act about this practitioner's credential must carry.
    function credentialNonceOf(bytes32 practitioner) external view returns (uint64);

    /// @notice A subject's current key. status: 0 none, 1 active. version counts the keys, from 1.
    function keyOf(bytes32 subject) external view returns (bytes32 x, bytes32 y, bytes32 z, uint8 status, uint32 version);

    /// @notice The nonce that the next rotation, recovery or veto of the subject must carry.
    function nonceOf(bytes32 subject) external view returns (uint64);

    /// @notice A pending recovery; executableAt is 0 where there is none.
    function recoveryOf(bytes32 subject) external view returns (bytes32 x, bytes32 y, bytes32 registrar, uint64 executableAt);

    /// @notice A practitioner's credential. status: 0 none, 1 active, 2 revoked; the period is not judged here.
    function credentialOf(bytes32 practitioner)
        external
        view
        returns (
            bytes32 organisation,
            bytes32 x,
            bytes32 y,
            uint32 roles,
            uint64 notBefore,
            uint64 notAfter,
            uint8 status
        );

    /// @notice The same without the key, as decisions need it.
    function credentialState(bytes32 practitioner) external view returns (CredentialState memory);

    /// @notice Seconds between the request and the execution of a recovery.
    function RECOVERY_DELAY() external view returns (uint64);

    /// @notice What signed messages to this contract carry as domain, docs/formats.md §4.
    function domain() external view returns (bytes32);
}
