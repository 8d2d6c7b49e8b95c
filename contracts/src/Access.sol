// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Governed} from "./Governed.sol";
import {IAccess} from "./interfaces/IAccess.sol";
import {IIdentity} from "./interfaces/IIdentity.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {ISM2Verifier} from "./interfaces/ISM2Verifier.sol";
import {Messages} from "./libraries/Messages.sol";
import {CredentialStatus} from "./types/Types.sol";

/// @title See IAccess
contract Access is IAccess, Governed {
    struct Asked {
        bytes32 organisation;
        bytes32 commitment;
        uint8 status;
        uint8 value;
    }

    struct ReceiptHead {
        uint64 batches;
        uint64 nextNumber;
        bytes32 headHash;
    }

    struct ReceiptBatch {
        bytes32 root;
        uint64 firstNumber;
        uint32 count;
        uint64 recordedAt;
    }

    struct Emergency {
        bytes32 organisation;
        bytes32 commitment;
        uint64 endsAt;
        uint64 reviewBy;
        uint8 outcome;
    }

    uint8 private constant ASKED = 1;
    uint8 private constant ANSWERED = 2;
    uint8 private constant LAST_ANSWER = 4;
    uint8 private constant LAST_OUTCOME = 2;
    uint16 private constant MAX_MINUTES = 1440;
    uint64 private constant REVIEW_PERIOD = 72 hours;

    IIdentity private immutable _identity;
    ISM2Verifier private immutable _crypto;
    bytes32 private immutable _domain;
    mapping(bytes32 id => Asked) private _requests;
    mapping(bytes32 organisation => ReceiptHead) private _heads;
    mapping(bytes32 organisation => mapping(uint64 batch => ReceiptBatch)) private _batches;
    mapping(bytes32 id => Emergency) private _emergencies;

    constructor(IRegistry registry, ISM2Verifier crypto, IIdentity identity) Governed(registry) {
        _crypto = crypto;
        _identity = identity;
        _domain = Messages.domain(crypto, _alliance.ledgerId(), address(this));
    }

    /// @inheritdoc IAccess
    function request(bytes32 id, bytes32 commitment) external whenThawed {
        bytes32 caller = _activeCaller(0);
        if (id == 0 || commitment == 0) revert ZeroValue();
        if (_requests[id].status != 0) revert RequestExists(id);
        _requests[id] = Asked(caller, commitment, ASKED, 0);
        emit AccessRequested(id, caller, commitment);
    }

    /// @inheritdoc IAccess
    function answer(bytes32 id, bytes32 commitment, uint8 value) external whenThawed {
        bytes32 caller = _activeCaller(0);
        Asked storage asked = _requests[id];
        if (commitment == 0) revert ZeroValue();
        if (asked.status == 0) revert UnknownRequest(id);
        if (asked.status == ANSWERED) revert AlreadyAnswered(id);
        if (value == 0 || value > LAST_ANSWER) revert UnknownAnswer(value);
        (asked.status, asked.value) = (ANSWERED, value);
        emit AccessAnswered(id, caller, commitment, value);
    }

    /// @inheritdoc IAccess
    function record(bytes32 root, uint64 firstNumber, uint32 count, bytes32 headHash) external {
        (bytes32 caller,,) = _caller();
        if (root == 0 || count == 0 || headHash == 0) revert ZeroValue();
        ReceiptHead storage h = _heads[caller];
        if (firstNumber != h.nextNumber) revert WrongNumber(firstNumber, h.nextNumber);
        uint64 batch = h.batches;
        (h.batches, h.nextNumber, h.headHash) = (batch + 1, firstNumber + count, headHash);
        _batches[caller][batch] = ReceiptBatch(root, firstNumber, count, uint64(block.timestamp));
        emit ReceiptsRecorded(caller, batch, root, firstNumber, count, headHash);
    }

    /// @inheritdoc IAccess
    function openEmergency(
        bytes32 id,
        bytes32 commitment,
        uint16 minutesOpen,
        bytes32 first,
        bytes calldata firstSignature,
        bytes32 second,
        bytes calldata secondSignature
    ) external whenThawed {
        bytes32 caller = _activeCaller(0);
        if (id == 0 || commitment == 0) revert ZeroValue();
        if (_emergencies[id].organisation != 0) revert EmergencyExists(id);
        if (minutesOpen == 0 || minutesOpen > MAX_MINUTES) revert BadMinutes(minutesOpen, MAX_MINUTES);
        if (first == second) revert SamePerson(first);
        bytes memory message = abi.encode(Messages.EMERGENCY_OPEN, _domain, caller, id, commitment, uint256(minutesOpen));
        _requirePerson(first, caller, message, firstSignature);
        _requirePerson(second, caller, message, secondSignature);
        uint64 endsAt = uint64(block.timestamp) + uint64(minutesOpen) * 60;
        uint64 reviewBy = uint64(block.timestamp) + REVIEW_PERIOD;
        _emergencies[id] = Emergency(caller, commitment, endsAt, reviewBy, 0);
        emit EmergencyOpened(id, caller, commitment, first, second, endsAt, reviewBy);
    }

    /// @inheritdoc IAccess
    function review(bytes32 id, uint8 outcome) external {
        bytes32 caller = _activeCaller(ROLE_AUDITOR);
        Emergency storage e = _emergencies[id];
        if (e.organisation == 0) revert UnknownEmergency(id);
        if (e.organisation == caller) revert OwnEmergency(id);
        if (e.outcome != 0) revert AlreadyReviewed(id);
        if (outcome == 0 || outcome > LAST_OUTCOME) revert UnknownAnswer(outcome);
        e.outcome = outcome;
        emit EmergencyReviewed(id, caller, outcome, block.timestamp > e.reviewBy);
    }

    /// @inheritdoc IAccess
    function requestOf(bytes32 id) external view returns (bytes32 organisation, bytes32 commitment, uint8 status, uint8 value) {
        Asked storage asked = _requests[id];
        return (asked.organisation, asked.commitment, asked.status, asked.value);
    }

    /// @inheritdoc IAccess
    function receiptsOf(bytes32 organisation) external view returns (uint64 nextNumber, bytes32 headHash) {
        ReceiptHead storage h = _heads[organisation];
        return (h.nextNumber, h.headHash);
    }

    /// @inheritdoc IAccess
    function receiptBatchOf(bytes32 organisation, uint64 batch)
        external
        view
        returns (bytes32 root, uint64 firstNumber, uint32 count, uint64 recordedAt)
    {
        ReceiptBatch storage b = _batches[organisation][batch];
        if (b.count == 0) revert UnknownBatch(organisation, batch);
        return (b.root, b.firstNumber, b.count, b.recordedAt);
    }

    /// @inheritdoc IAccess
    function emergencyOf(bytes32 id)
        external
        view
        returns (bytes32 organisation, bytes32 commitment, uint64 endsAt, uint64 reviewBy, uint8 outcome)
    {
        Emergency storage e = _emergencies[id];
        return (e.organisation, e.commitment, e.endsAt, e.reviewBy, e.outcome);
    }

    /// @inheritdoc IAccess
    function domain() external view returns (bytes32) {
        return _domain;
    }

    /// @dev The practitioner holds a valid credential of the organisation and signed the message.
    function _requirePerson(bytes32 practitioner, bytes32 organisation, bytes memory message, bytes calldata signature) private view {
        if (signature.length != 64) revert BadSignatureLength(signature.length);
        (bytes32 issuer, bytes32 x, bytes32 y,, uint64 notBefore, uint64 notAfter, uint8 status) = _identity.credentialOf(practitioner);
        bool current = block.timestamp >= notBefore && block.timestamp < notAfter && status == uint8(CredentialStatus.Active);
        if (issuer != organisation || !current) revert CredentialInvalid(practitioner);
        (bytes32 r, bytes32 s) = (bytes32(signature[:32]), bytes32(signature[32:]));
        (bool valid,) = _crypto.verifyMessage(_crypto.zOf(x, y), message, r, s, x, y);
        if (!valid) revert BadSignature(practitioner);
    }
}
