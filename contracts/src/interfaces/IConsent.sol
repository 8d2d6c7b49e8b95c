// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Answer, Ask, ConsentStatus, Query, Request, State} from "../types/Types.sol";

/// @title Sealed consents, and the one decision function over them
/// @notice Only the subject's own SM2 signature, verified here, creates or changes a consent; anyone may relay it. The chain
/// holds a commitment to the scope, never the scope. packed is notBefore u64 ‖ notAfter u64 ‖ useLimit u32 ‖ 0 u32 ‖ nonce u64.
interface IConsent {
    event ConsentGranted(bytes32 indexed consent, bytes32 indexed subject, bytes32 commitment, uint256 packed, bytes32 messageHash);
    event ConsentAmended(
        bytes32 indexed old,
        bytes32 indexed consent,
        bytes32 indexed subject,
        bytes32 commitment,
        uint256 packed,
        bytes32 messageHash
    );
    event ConsentRevoked(bytes32 indexed consent, bytes32 indexed subject, uint256 packed, bytes32 messageHash);
    event ConsentSpent(bytes32 indexed consent, uint32 uses, bytes32 indexed by);

    error ZeroValue();
    error ReservedBits(uint256 packed);
    error BadPeriod(uint64 notBefore, uint64 notAfter);
    error WrongNonce(uint64 given, uint64 expected);
    error NoKey(bytes32 subject);
    error BadSignature(bytes32 messageHash);
    error ConsentExists(bytes32 consent);
    error ConsentNotActive(bytes32 consent, ConsentStatus status);
    error WrongSubject(bytes32 consent, bytes32 subject);
    error OutsidePeriod(bytes32 consent, uint64 time);
    error UsesExhausted(bytes32 consent, uint32 useLimit);
    error WrongPreimage(bytes32 consent);

    /// @notice Grants: r‖s is by the subject's current key over consent-grant/v1.
    function grant(bytes32 subject, bytes32 consent, bytes32 commitment, uint256 packed, bytes32 r, bytes32 s) external;

    /// @notice Replaces an active consent by a new one: r‖s is over consent-amend/v1. The old one points to its successor.
    function amend(
        bytes32 subject,
        bytes32 oldConsent,
        bytes32 consent,
        bytes32 commitment,
        uint256 packed,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Ends an active consent: r‖s is over consent-revoke/v1; packed holds only the nonce. Works while the contract is frozen.
    function revoke(bytes32 subject, bytes32 consent, uint256 packed, bytes32 r, bytes32 s) external;

    /// @notice Spends the next use of a consent with a use limit by showing the next value of its chain (docs/formats.md §5).
    /// By an account of an active member.
    function spend(bytes32 consent, bytes32 preimage) external;

    /// @notice A consent's words; status 0 where there is none. packed is as the subject signed it.
    function consentOf(bytes32 consent)
        external
        view
        returns (bytes32 subject, bytes32 commitment, uint256 packed, uint32 uses, uint8 status, bytes32 successor);

    /// @notice The nonce the subject's next message to this contract must carry.
    function nonceOf(bytes32 subject) external view returns (uint64);

    /// @notice The ledger's words behind each query. Reverts while frozen, as do the decisions.
    function statesOf(Query[] calldata queries) external view returns (State[] memory);

    /// @notice Decides one request over the opened scope at a time (UTC seconds), docs/formats.md §6.
    function decide(Request calldata request, bytes32 consent, bytes calldata scopeWords, bytes32 salt, uint64 time)
        external
        view
        returns (uint8 outcome, uint16 reason, uint256 fields);

    /// @notice The same for many requests at one time.
    function decideMany(Ask[] calldata asks, uint64 time) external view returns (Answer[] memory);

    /// @notice What signed messages to this contract carry as domain, docs/formats.md §4.
    function domain() external view returns (bytes32);
}
