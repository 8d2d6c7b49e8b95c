// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Governed} from "./Governed.sol";
import {IEvidence} from "./interfaces/IEvidence.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";

/// @title See IEvidence
contract Evidence is IEvidence, Governed {
    struct Item {
        bytes32 kind;
        bytes32 digest;
        uint64 recordedAt;
    }

    mapping(bytes32 organisation => Item[]) private _items;

    constructor(IRegistry registry) Governed(registry) {}

    /// @inheritdoc IEvidence
    function record(bytes32 kind, bytes32 digest) external whenThawed {
        bytes32 caller = _activeCaller(0);
        if (kind == 0 || digest == 0) revert ZeroValue();
        uint64 number = uint64(_items[caller].length);
        _items[caller].push(Item(kind, digest, uint64(block.timestamp)));
        emit EvidenceRecorded(caller, number, kind, digest);
    }

    /// @inheritdoc IEvidence
    function evidenceOf(bytes32 organisation, uint64 number)
        external
        view
        returns (bytes32 kind, bytes32 digest, uint64 recordedAt)
    {
        if (number >= _items[organisation].length) revert UnknownEvidence(organisation, number);
        Item storage item = _items[organisation][number];
        return (item.kind, item.digest, item.recordedAt);
    }

    /// @inheritdoc IEvidence
    function countOf(bytes32 organisation) external view returns (uint64) {
        return uint64(_items[organisation].length);
    }
}
