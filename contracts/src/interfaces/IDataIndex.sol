// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Anchored batches of index entries
/// @notice Every organisation has one run of sequence numbers from 0 without gaps; a batch continues it and names the root before it.
interface IDataIndex {
    event BatchAnchored(
        bytes32 indexed organisation,
        uint64 indexed batch,
        bytes32 root,
        uint64 firstSequence,
        uint32 count,
        bytes32 previousRoot
    );
    event EntriesAnchored(
        bytes32 indexed organisation,
        uint64 indexed batch,
        bytes32 root,
        uint64 firstSequence,
        uint32 count,
        bytes entries
    );

    error ZeroValue();
    error WrongSequence(uint64 given, uint64 expected);
    error WrongPreviousRoot(bytes32 given, bytes32 expected);
    error WrongLength(uint256 given, uint256 expected);
    error WrongEntry(uint256 position);
    error UnknownBatch(bytes32 organisation, uint64 batch);

    /// @notice Anchors the root of the next count entries of the caller's organisation, an active custodian.
    /// @param previousRoot The organisation's last root, 0 for the first batch.
    function anchorBatch(bytes32 root, uint64 firstSequence, uint32 count, bytes32 previousRoot) external;

    /// @notice The same with the entries themselves (256 bytes each, docs/formats.md §3) in the transaction and the event. Kind,
    /// organisation and sequence of every entry are checked; the root is not recomputed.
    function anchorEntries(bytes32 root, uint64 firstSequence, uint32 count, bytes32 previousRoot, bytes calldata entries) external;

    /// @notice An anchored batch; reverts for an unknown one. anchoredAt is the block's time.
    function batchOf(bytes32 organisation, uint64 batch)
        external
        view
        returns (bytes32 root, uint64 firstSequence, uint32 count, uint64 anchoredAt);

    /// @notice keccak256 of the entries of a batch anchored in full, 0 for a batch anchored by its root.
    function entriesDigestOf(bytes32 organisation, uint64 batch) external view returns (bytes32);

    /// @notice Where an organisation stands: number of batches, next sequence, last root (0 before the first batch).
    function headOf(bytes32 organisation) external view returns (uint64 batches, uint64 nextSequence, bytes32 lastRoot);
}
