// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Requests and answers (commitments only), receipts of readings, break-glass
interface IAccess {
    event AccessRequested(bytes32 indexed id, bytes32 indexed organisation, bytes32 commitment);
    event AccessAnswered(bytes32 indexed id, bytes32 indexed organisation, bytes32 commitment, uint8 answer);
    event ReceiptsRecorded(
        bytes32 indexed organisation,
        uint64 indexed batch,
        bytes32 root,
        uint64 firstNumber,
        uint32 count,
        bytes32 headHash
    );
    event EmergencyOpened(
        bytes32 indexed id,
        bytes32 indexed organisation,
        bytes32 commitment,
        bytes32 first,
        bytes32 second,
        uint64 endsAt,
        uint64 reviewBy
    );
    event EmergencyReviewed(bytes32 indexed id, bytes32 indexed reviewer, uint8 outcome, bool late);

    error ZeroValue();
    error RequestExists(bytes32 id);
    error UnknownRequest(bytes32 id);
    error AlreadyAnswered(bytes32 id);
    error UnknownAnswer(uint8 answer);
    error WrongNumber(uint64 given, uint64 expected);
    error UnknownBatch(bytes32 organisation, uint64 batch);
    error EmergencyExists(bytes32 id);
    error UnknownEmergency(bytes32 id);
    error AlreadyReviewed(bytes32 id);
    error OwnEmergency(bytes32 id);
    error BadMinutes(uint16 given, uint16 limit);
    error SamePerson(bytes32 practitioner);
    error CredentialInvalid(bytes32 practitioner);
    error BadSignature(bytes32 practitioner);
    error BadSignatureLength(uint256 length);

    /// @notice A member asks; what and whom is behind the commitment.
    function request(bytes32 id, bytes32 commitment) external;

    /// @notice A member relays the resident's answer: 1 granted, 2 refused, 3 expired, 4 withdrawn.
    function answer(bytes32 id, bytes32 commitment, uint8 value) external;

    /// @notice Puts the next count receipts of the caller's organisation on chain as a tree root and the hash of the chain head. Numbers
    /// start at 0 and have no gaps. A suspended or departed member still owes its receipts, so they are taken from it too.
    function record(bytes32 root, uint64 firstNumber, uint32 count, bytes32 headHash) external;

    /// @notice Break-glass for at most MAX_MINUTES: two different practitioners of the caller's organisation signed
    /// emergency-open/v1 (docs/formats.md §4), r‖s 64 bytes each.
    function openEmergency(
        bytes32 id,
        bytes32 commitment,
        uint16 minutesOpen,
        bytes32 first,
        bytes calldata firstSignature,
        bytes32 second,
        bytes calldata secondSignature
    ) external;

    /// @notice Another member with the auditor role judges: 1 justified, 2 not justified. Past the deadline it is marked late.
    function review(bytes32 id, uint8 outcome) external;

    /// @notice status: 0 none, 1 open, 2 answered.
    function requestOf(bytes32 id) external view returns (bytes32 organisation, bytes32 commitment, uint8 status, uint8 value);

    /// @notice Where an organisation's receipts stand.
    function receiptsOf(bytes32 organisation) external view returns (uint64 nextNumber, bytes32 headHash);

    /// @notice A batch of receipts; reverts for an unknown one.
    function receiptBatchOf(bytes32 organisation, uint64 batch)
        external
        view
        returns (bytes32 root, uint64 firstNumber, uint32 count, uint64 recordedAt);

    /// @notice An emergency; organisation 0 where there is none. outcome: 0 not yet reviewed.
    function emergencyOf(bytes32 id)
        external
        view
        returns (bytes32 organisation, bytes32 commitment, uint64 endsAt, uint64 reviewBy, uint8 outcome);

    /// @notice What signed messages to this contract carry as domain, docs/formats.md §4.
    function domain() external view returns (bytes32);
}
