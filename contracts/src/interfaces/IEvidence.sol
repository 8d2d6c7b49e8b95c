// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Digests of operation logs, reports, releases, configurations, signed executables
interface IEvidence {
    event EvidenceRecorded(bytes32 indexed organisation, uint64 indexed number, bytes32 indexed kind, bytes32 digest);

    error ZeroValue();
    error UnknownEvidence(bytes32 organisation, uint64 number);

    /// @notice Records a digest under the next number (from 0) of the caller's organisation. kind is an ASCII word.
    function record(bytes32 kind, bytes32 digest) external;

    /// @notice Recorded evidence; reverts for an unknown number. recordedAt is the block's time.
    function evidenceOf(bytes32 organisation, uint64 number)
        external
        view
        returns (bytes32 kind, bytes32 digest, uint64 recordedAt);

    /// @notice How many pieces of evidence an organisation recorded.
    function countOf(bytes32 organisation) external view returns (uint64);
}
