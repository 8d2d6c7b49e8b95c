// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAlliance} from "./interfaces/IAlliance.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";

/// @title See IRegistry
contract Registry is IRegistry {
    IAlliance private immutable _alliance;
    bytes32[] private _names;
    mapping(bytes32 name => Entry) private _entries;
    mapping(address target => bool) private _frozen;

    constructor(IAlliance alliance_) {
        _alliance = alliance_;
    }

    modifier onlyAlliance() {
        if (msg.sender != address(_alliance)) revert OnlyAlliance(msg.sender);
        _;
    }

    /// @inheritdoc IRegistry
    function publish(bytes32 name, address target, uint32 version) external onlyAlliance {
        if (target.code.length == 0) revert NoCode(target);
        Entry storage e = _entries[name];
        if (version <= e.version) revert VersionNotAbove(name, version, e.version);
        if (e.version == 0) _names.push(name);
        _entries[name] = Entry(name, target, version, _frozen[target], uint64(block.timestamp));
        emit Published(name, target, version);
    }

    /// @inheritdoc IRegistry
    function freeze(bytes32 name) external onlyAlliance {
        emit Frozen(name, _set(name, true));
    }

    /// @inheritdoc IRegistry
    function thaw(bytes32 name) external onlyAlliance {
        emit Thawed(name, _set(name, false));
    }

    /// @inheritdoc IRegistry
    function alliance() external view returns (IAlliance) {
        return _alliance;
    }

    /// @inheritdoc IRegistry
    function addressOf(bytes32 name) external view returns (address) {
        if (_entries[name].version == 0) revert UnknownName(name);
        return _entries[name].target;
    }

    /// @inheritdoc IRegistry
    function isFrozen(address target) external view returns (bool) {
        return _frozen[target];
    }

    /// @inheritdoc IRegistry
    function all() external view returns (Entry[] memory list) {
        list = new Entry[](_names.length);
        for (uint256 i = 0; i < list.length; ++i) {
            list[i] = _entries[_names[i]];
        }
    }

    function _set(bytes32 name, bool frozen) private returns (address target) {
        Entry storage e = _entries[name];
        if (e.version == 0) revert UnknownName(name);
        if (e.frozen == frozen) revert WrongState(name, frozen);
        e.frozen = frozen;
        target = e.target;
        _frozen[target] = frozen;
    }
}
