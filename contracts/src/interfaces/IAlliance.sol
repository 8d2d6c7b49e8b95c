// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Action, OrganisationStatus} from "../types/Types.sol";

/// @title Members of the alliance, their keys, accounts and roles, and the votes that change them
/// @notice Role bits: 0 custodian, 1 reader, 2 registrar, 3 auditor, 4 operator. A proposal is executed by the vote that makes
/// strictly more than half of the active members agree; votes of members no longer active do not count.
interface IAlliance {
    event OrganisationInvited(bytes32 indexed organisation, bytes32 nameDigest, uint32 roles, bytes32 x, bytes32 y, address account);
    event OrganisationJoined(bytes32 indexed organisation, address account);
    event OrganisationSuspended(bytes32 indexed organisation);
    event OrganisationRestored(bytes32 indexed organisation);
    event OrganisationLeft(bytes32 indexed organisation, bool expelled);
    event RolesSet(bytes32 indexed organisation, uint32 roles);
    event KeyRotated(bytes32 indexed organisation, bytes32 x, bytes32 y, uint64 nonce);
    event AccountSet(bytes32 indexed organisation, address indexed account, bool allowed);
    event Proposed(uint256 indexed proposal, bytes32 indexed organisation, Action action, bytes args, uint64 expires);
    event Voted(uint256 indexed proposal, bytes32 indexed organisation);
    event Executed(uint256 indexed proposal);

    error NotAMember(address account);
    error WrongStatus(bytes32 organisation, OrganisationStatus status);
    error AccountTaken(address account, bytes32 organisation);
    error OwnAccount(address account);
    error ZeroValue();
    error UnknownRoles(uint32 roles);
    error KeyOffCurve(bytes32 x, bytes32 y);
    error BadSignature();
    error LastMember(bytes32 organisation);
    error UnknownProposal(uint256 proposal);
    error ProposalClosed(uint256 proposal);
    error AlreadyVoted(uint256 proposal, bytes32 organisation);
    error NoCode(address target);

    /// @notice The id of this ledger: SM3("healthtrust/ledger/v1" ‖ 0x00 ‖ name ‖ salt), docs/formats.md §1.
    function ledgerId() external view returns (bytes32);

    /// @notice Public name of the alliance.
    function name() external view returns (string memory);

    /// @notice A proposal needs strictly more than numerator/denominator of the active members.
    function governance() external view returns (uint256 numerator, uint256 denominator);

    /// @notice How many members are active.
    function activeMembers() external view returns (uint256);

    /// @notice Opens a proposal and votes for it; r‖s is by the caller's organisation's SM2 key over alliance-proposal/v1, so that
    /// stolen ledger accounts are no majority. Executed at once if that vote suffices.
    function propose(Action action, bytes calldata args, bytes32 r, bytes32 s) external returns (uint256 proposal);

    /// @notice Votes for an open proposal; r‖s is by the organisation's SM2 key over alliance-vote/v1, which names what is decided.
    /// The last needed vote executes it.
    function vote(uint256 proposal, bytes32 r, bytes32 s) external;

    /// @notice The invited account accepts the invitation.
    function join(bytes32 organisation) external;

    /// @notice The caller's organisation leaves; r‖s is by its SM2 key over alliance-leave/v1. The last active member cannot.
    function leave(bytes32 r, bytes32 s) external;

    /// @notice Replaces the caller's organisation's SM2 key; r‖s is by the old key over organisation-key/v1, so that a stolen
    /// ledger account alone cannot take the key over.
    function rotateKey(bytes32 x, bytes32 y, bytes32 r, bytes32 s) external;

    /// @notice Adds or removes a ledger account of the caller's organisation, not the calling one itself; r‖s is by the
    /// organisation's SM2 key over ledger-account/v1, so that a stolen account neither multiplies nor locks the others out.
    function setAccount(address account, bool allowed, bytes32 r, bytes32 s) external;

    /// @notice A member's public words; status 0 where there is none.
    function organisation(bytes32 id)
        external
        view
        returns (uint8 status, uint32 roles, bytes32 x, bytes32 y, bytes32 nameDigest, uint64 joinedAt);

    /// @notice A member's SM2 key with its Z and the nonce of its next signed message to this contract.
    function keyOf(bytes32 id) external view returns (bytes32 x, bytes32 y, bytes32 z, uint64 nonce);

    /// @notice The organisation an account belongs to, 0 if none; whatever the organisation's status.
    function organisationOf(address account) external view returns (bytes32);

    /// @notice Status number of an organisation: 0 none, 1 active, 2 suspended, 3 left, 4 invited.
    function statusOf(bytes32 id) external view returns (uint8);

    /// @notice Organisation, status and roles behind an account, in one call.
    function memberOf(address account) external view returns (bytes32 id, uint8 status, uint32 roles);

    /// @notice A proposal's action, arguments, end (UTC seconds), state and the organisations that voted for it.
    function proposalOf(uint256 proposal)
        external
        view
        returns (Action action, bytes memory args, uint64 expires, bool executed, bytes32[] memory voters);

    /// @notice What signed messages to this contract carry as domain, docs/formats.md §4.
    function domain() external view returns (bytes32);
}
