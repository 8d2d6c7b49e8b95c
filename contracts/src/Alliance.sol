// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";
import {IAlliance} from "./interfaces/IAlliance.sol";
import {ISM2Verifier} from "./interfaces/ISM2Verifier.sol";
import {Messages} from "./libraries/Messages.sol";
import {Action, OrganisationInit, OrganisationStatus} from "./types/Types.sol";

/// @title See IAlliance
contract Alliance is IAlliance {
    using EnumerableSet for EnumerableSet.Bytes32Set;

    struct Organisation {
        OrganisationStatus status;
        uint32 roles;
        uint64 joinedAt;
        uint64 keyNonce;
        uint32 era;
        bytes32 x;
        bytes32 y;
        bytes32 z;
        bytes32 nameDigest;
    }

    /// @dev An account belongs to its organisation for the era of one invitation: a new invitation lets go of all accounts before it.
    struct Seat {
        bytes32 organisation;
        uint32 era;
    }

    struct Proposal {
        Action action;
        bool executed;
        uint64 expires;
        bytes args;
        EnumerableSet.Bytes32Set voters;
    }

    uint32 private constant ALL_ROLES = (1 << 5) - 1;
    uint64 private constant VOTING_PERIOD = 30 days;

    ISM2Verifier private immutable _crypto;
    bytes32 private immutable _ledgerId;
    bytes32 private immutable _domain;
    string private _name;
    uint256 private _active;
    mapping(bytes32 id => Organisation) private _organisations;
    mapping(address account => Seat) private _seats;
    Proposal[] private _proposals;

    /// @param salt 32 random bytes that make the ledger id unique.
    /// @param first The first member; its account is the deployer's own, so that nobody is enrolled unasked.
    constructor(ISM2Verifier crypto, string memory name_, bytes32 salt, OrganisationInit memory first) {
        _crypto = crypto;
        _name = name_;
        _ledgerId = crypto.hash(abi.encodePacked("healthtrust/ledger/v1", bytes1(0), name_, salt));
        _domain = Messages.domain(crypto, _ledgerId, address(this));
        if (first.account != msg.sender) revert NotAMember(first.account);
        _invite(first);
        _activate(first.id);
    }

    modifier whenStatus(bytes32 id, OrganisationStatus expected) {
        _requireStatus(id, expected);
        _;
    }

    /// @inheritdoc IAlliance
    function propose(Action action, bytes calldata args, bytes32 r, bytes32 s) external returns (uint256 proposal) {
        bytes32 caller = _activeCaller();
        Organisation storage o = _organisations[caller];
        bytes32 digest = _crypto.hash(args);
        uint256 nonce = o.keyNonce;
        _requireSigned(caller, abi.encode(Messages.ALLIANCE_PROPOSAL, _domain, caller, uint256(action), digest, nonce), r, s);
        ++o.keyNonce;
        proposal = _proposals.length;
        Proposal storage p = _proposals.push();
        p.action = action;
        p.args = args;
        p.expires = uint64(block.timestamp) + VOTING_PERIOD;
        emit Proposed(proposal, caller, action, args, p.expires);
        _vote(proposal, caller);
    }

    /// @inheritdoc IAlliance
    function vote(uint256 proposal, bytes32 r, bytes32 s) external {
        bytes32 caller = _activeCaller();
        if (proposal >= _proposals.length) revert UnknownProposal(proposal);
        Proposal storage p = _proposals[proposal];
        uint256 action = uint256(p.action);
        bytes32 digest = _crypto.hash(p.args);
        _requireSigned(caller, abi.encode(Messages.ALLIANCE_VOTE, _domain, caller, proposal, action, digest), r, s);
        _vote(proposal, caller);
    }

    /// @inheritdoc IAlliance
    function join(bytes32 organisation_) external {
        if (_holder(msg.sender) != organisation_ || organisation_ == 0) revert NotAMember(msg.sender);
        _requireStatus(organisation_, OrganisationStatus.Invited);
        _activate(organisation_);
    }

    /// @inheritdoc IAlliance
    function leave(bytes32 r, bytes32 s) external {
        bytes32 id = _activeCaller();
        _requireSigned(id, abi.encode(Messages.ALLIANCE_LEAVE, _domain, id, uint256(_organisations[id].keyNonce)), r, s);
        _remove(id, false);
    }

    /// @inheritdoc IAlliance
    function rotateKey(bytes32 x, bytes32 y, bytes32 r, bytes32 s) external {
        bytes32 id = _activeCaller();
        uint256 nonce = _organisations[id].keyNonce;
        _requireSigned(id, abi.encode(Messages.ORGANISATION_KEY, _domain, id, x, y, nonce), r, s);
        _setKey(id, x, y);
    }

    /// @inheritdoc IAlliance
    function setAccount(address account, bool allowed, bytes32 r, bytes32 s) external {
        bytes32 id = _activeCaller();
        if (account == msg.sender) revert OwnAccount(account);
        if (account == address(0)) revert ZeroValue();
        bytes32 holder = _holder(account);
        if (holder != (allowed ? bytes32(0) : id)) revert AccountTaken(account, holder);
        Organisation storage o = _organisations[id];
        _requireSigned(id, abi.encode(Messages.LEDGER_ACCOUNT, _domain, id, account, allowed, uint256(o.keyNonce)), r, s);
        ++o.keyNonce;
        if (allowed) _seats[account] = Seat(id, o.era);
        else delete _seats[account];
        emit AccountSet(id, account, allowed);
    }

    /// @inheritdoc IAlliance
    function ledgerId() external view returns (bytes32) {
        return _ledgerId;
    }

    /// @inheritdoc IAlliance
    function domain() external view returns (bytes32) {
        return _domain;
    }

    /// @inheritdoc IAlliance
    function name() external view returns (string memory) {
        return _name;
    }

    /// @inheritdoc IAlliance
    function governance() external pure returns (uint256 numerator, uint256 denominator) {
        return (1, 2);
    }

    /// @inheritdoc IAlliance
    function activeMembers() external view returns (uint256) {
        return _active;
    }

    /// @inheritdoc IAlliance
    function organisation(bytes32 id)
        external
        view
        returns (uint8 status, uint32 roles, bytes32 x, bytes32 y, bytes32 nameDigest, uint64 joinedAt)
    {
        Organisation storage o = _organisations[id];
        return (uint8(o.status), o.roles, o.x, o.y, o.nameDigest, o.joinedAt);
    }

    /// @inheritdoc IAlliance
    function keyOf(bytes32 id) external view returns (bytes32 x, bytes32 y, bytes32 z, uint64 nonce) {
        Organisation storage o = _organisations[id];
        return (o.x, o.y, o.z, o.keyNonce);
    }

    /// @inheritdoc IAlliance
    function organisationOf(address account) external view returns (bytes32) {
        return _holder(account);
    }

    /// @inheritdoc IAlliance
    function statusOf(bytes32 id) external view returns (uint8) {
        return uint8(_organisations[id].status);
    }

    /// @inheritdoc IAlliance
    function memberOf(address account) external view returns (bytes32 id, uint8 status, uint32 roles) {
        id = _holder(account);
        Organisation storage o = _organisations[id];
        return (id, uint8(o.status), o.roles);
    }

    /// @inheritdoc IAlliance
    function proposalOf(uint256 proposal)
        external
        view
        returns (Action action, bytes memory args, uint64 expires, bool executed, bytes32[] memory voters)
    {
        if (proposal >= _proposals.length) revert UnknownProposal(proposal);
        Proposal storage p = _proposals[proposal];
        return (p.action, p.args, p.expires, p.executed, p.voters.values());
    }

    function _vote(uint256 proposal, bytes32 caller) private {
        Proposal storage p = _proposals[proposal];
        if (p.executed || block.timestamp >= p.expires) revert ProposalClosed(proposal);
        if (!p.voters.add(caller)) revert AlreadyVoted(proposal, caller);
        emit Voted(proposal, caller);
        if (_activeVotes(p) * 2 <= _active) return;
        p.executed = true;
        _execute(p.action, p.args);
        emit Executed(proposal);
    }

    function _activeVotes(Proposal storage p) private view returns (uint256 votes) {
        uint256 n = p.voters.length();
        for (uint256 i = 0; i < n; ++i) {
            if (_organisations[p.voters.at(i)].status == OrganisationStatus.Active) ++votes;
        }
    }

    function _execute(Action action, bytes memory args) private {
        if (action == Action.Invite) _invite(abi.decode(args, (OrganisationInit)));
        else if (action == Action.Suspend) _suspend(abi.decode(args, (bytes32)));
        else if (action == Action.Restore) _restore(abi.decode(args, (bytes32)));
        else if (action == Action.Expel) _remove(abi.decode(args, (bytes32)), true);
        else if (action == Action.SetRoles) _setRoles(args);
        else if (action == Action.RotateKey) _replaceKey(args);
        else _call(args);
    }

    function _invite(OrganisationInit memory o) private {
        OrganisationStatus status = _organisations[o.id].status;
        bool free = status == OrganisationStatus.None || status == OrganisationStatus.Left || status == OrganisationStatus.Invited;
        if (!free) revert WrongStatus(o.id, status);
        if (o.id == 0 || o.account == address(0)) revert ZeroValue();
        bytes32 holder = _holder(o.account);
        if (holder != 0 && holder != o.id) revert AccountTaken(o.account, holder);
        if (o.roles & ~ALL_ROLES != 0) revert UnknownRoles(o.roles);
        Organisation storage stored = _organisations[o.id];
        stored.status = OrganisationStatus.Invited;
        stored.roles = o.roles;
        stored.nameDigest = o.nameDigest;
        _seats[o.account] = Seat(o.id, ++stored.era);
        _writeKey(stored, o.x, o.y);
        emit OrganisationInvited(o.id, o.nameDigest, o.roles, o.x, o.y, o.account);
    }

    function _activate(bytes32 id) private {
        Organisation storage o = _organisations[id];
        o.status = OrganisationStatus.Active;
        o.joinedAt = uint64(block.timestamp);
        ++_active;
        emit OrganisationJoined(id, msg.sender);
    }

    function _suspend(bytes32 id) private whenStatus(id, OrganisationStatus.Active) {
        _dropActive(id);
        _organisations[id].status = OrganisationStatus.Suspended;
        emit OrganisationSuspended(id);
    }

    function _restore(bytes32 id) private whenStatus(id, OrganisationStatus.Suspended) {
        _organisations[id].status = OrganisationStatus.Active;
        ++_active;
        emit OrganisationRestored(id);
    }

    function _remove(bytes32 id, bool expelled) private {
        Organisation storage o = _organisations[id];
        if (o.status == OrganisationStatus.Active) _dropActive(id);
        else if (o.status != OrganisationStatus.Suspended && o.status != OrganisationStatus.Invited) revert WrongStatus(id, o.status);
        o.status = OrganisationStatus.Left;
        emit OrganisationLeft(id, expelled);
    }

    /// @dev An alliance without an active member could never act again.
    function _dropActive(bytes32 id) private {
        if (_active == 1) revert LastMember(id);
        --_active;
    }

    function _setRoles(bytes memory args) private {
        (bytes32 id, uint32 roles) = abi.decode(args, (bytes32, uint32));
        Organisation storage o = _organisations[id];
        if (o.status == OrganisationStatus.None) revert WrongStatus(id, o.status);
        if (roles & ~ALL_ROLES != 0) revert UnknownRoles(roles);
        o.roles = roles;
        emit RolesSet(id, roles);
    }

    function _replaceKey(bytes memory args) private {
        (bytes32 id, bytes32 x, bytes32 y) = abi.decode(args, (bytes32, bytes32, bytes32));
        OrganisationStatus status = _organisations[id].status;
        if (status == OrganisationStatus.None) revert WrongStatus(id, status);
        _setKey(id, x, y);
    }

    function _setKey(bytes32 id, bytes32 x, bytes32 y) private {
        Organisation storage o = _organisations[id];
        _writeKey(o, x, y);
        emit KeyRotated(id, x, y, o.keyNonce);
    }

    /// @dev The nonce grows with every key, account and proposal, so that what was signed serves once.
    function _writeKey(Organisation storage o, bytes32 x, bytes32 y) private {
        if (!_crypto.isOnCurve(x, y)) revert KeyOffCurve(x, y);
        (o.x, o.y, o.z) = (x, y, _crypto.zOf(x, y));
        ++o.keyNonce;
    }

    /// @dev r‖s over the message is by the organisation's current SM2 key.
    function _requireSigned(bytes32 id, bytes memory message, bytes32 r, bytes32 s) private view {
        Organisation storage o = _organisations[id];
        (bool valid,) = _crypto.verifyMessage(o.z, message, r, s, o.x, o.y);
        if (!valid) revert BadSignature();
    }

    function _call(bytes memory args) private {
        (address target, bytes memory data) = abi.decode(args, (address, bytes));
        if (target.code.length == 0) revert NoCode(target);
        Address.functionCall(target, data);
    }

    function _activeCaller() private view returns (bytes32 id) {
        id = _holder(msg.sender);
        if (id == 0) revert NotAMember(msg.sender);
        _requireStatus(id, OrganisationStatus.Active);
    }

    function _holder(address account) private view returns (bytes32) {
        Seat storage seat = _seats[account];
        return seat.era == _organisations[seat.organisation].era ? seat.organisation : bytes32(0);
    }

    function _requireStatus(bytes32 id, OrganisationStatus expected) private view {
        OrganisationStatus status = _organisations[id].status;
        if (status != expected) revert WrongStatus(id, status);
    }
}
