// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Applications that move through states: resource applications, research searches, exports
interface IWorkflow {
    enum Step {
        None,
        Submitted,
        Approved,
        Rejected,
        Inspected,
        Delivered,
        Withdrawn
    }

    event Submitted(bytes32 indexed id, bytes32 indexed organisation, bytes32 kind, bytes32 packageDigest);
    event Moved(bytes32 indexed id, bytes32 indexed organisation, Step from, Step to, bytes32 digest);

    error ZeroValue();
    error ApplicationExists(bytes32 id);
    error IllegalMove(bytes32 id, Step from, Step to);
    error NotTheApplicant(bytes32 id, bytes32 applicant);

    /// @notice Opens an application of the caller's organisation. kind is an ASCII word.
    function submit(bytes32 id, bytes32 kind, bytes32 packageDigest) external;

    /// @notice Moves it along the fixed table. The applicant alone withdraws; a custodian makes every other move.
    function move(bytes32 id, Step toState, bytes32 digest) external;

    /// @notice Whether the table has the move.
    function allowed(Step from, Step to) external pure returns (bool);

    /// @notice An application; step None where there is none. digest is that of the last move.
    function applicationOf(bytes32 id) external view returns (bytes32 applicant, bytes32 kind, Step step, bytes32 digest);
}
