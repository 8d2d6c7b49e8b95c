// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAlliance} from "./IAlliance.sol";

/// @title Which contract serves which duty, in which version, frozen or active
/// @notice Changed only by a vote of the alliance (action Execute), so a change is visible before it acts. A frozen contract refuses
/// every write and every decision; a resident's revocation and veto pass nevertheless.
interface IRegistry {
    struct Entry {
        bytes32 name;
        address target;
        uint32 version;
        bool frozen;
        uint64 since;
    }

    event Published(bytes32 indexed name, address indexed target, uint32 version);
    event Frozen(bytes32 indexed name, address indexed target);
    event Thawed(bytes32 indexed name, address indexed target);

    error OnlyAlliance(address caller);
    error UnknownName(bytes32 name);
    error VersionNotAbove(bytes32 name, uint32 version, uint32 current);
    error NoCode(address target);
    error WrongState(bytes32 name, bool frozen);

    /// @notice The alliance whose votes govern this registry.
    function alliance() external view returns (IAlliance);

    /// @notice Names the contract that serves a duty from now on. Versions only grow.
    function publish(bytes32 name, address target, uint32 version) external;

    /// @notice Stops the contract now serving the duty.
    function freeze(bytes32 name) external;

    /// @notice Lets it serve again.
    function thaw(bytes32 name) external;

    /// @notice The contract that serves a duty; reverts for an unknown name.
    function addressOf(bytes32 name) external view returns (address);

    /// @notice Whether a contract is frozen.
    function isFrozen(address target) external view returns (bool);

    /// @notice All duties in the order of their first publication.
    function all() external view returns (Entry[] memory);
}
