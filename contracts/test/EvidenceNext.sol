// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Governed} from "../src/Governed.sol";
import {IEvidence} from "../src/interfaces/IEvidence.sol";
import {IRegistry} from "../src/interfaces/IRegistry.sol";

/// @title A next version of Evidence, to rehearse an upgrade with; never deployed in production
/// @notice It goes on where its predecessor ended: what that holds is read through, numbers go on, and its events say more. It
/// inherits the interface before it, so that one ABI tells both versions' events.
contract EvidenceNext is IEvidence, Governed {
    struct Item {
        bytes32 kind;
        bytes32 digest;
        uint64 recordedAt;
    }

    event EvidenceNoted(
        bytes32 indexed organisation, uint64 indexed number, bytes32 indexed kind, bytes32 digest, uint64 recordedAt
    );

    IEvidence private immutable _predecessor;
    mapping(bytes32 organisation => Item[]) private _items;

    constructor(IRegistry registry, IEvidence predecessor) Governed(registry) {
        _predecessor = predecessor;
    }

    /// @inheritdoc IEvidence
    function record(bytes32 kind, bytes32 digest) external whenThawed {
        bytes32 caller = _activeCaller(0);
        if (kind == 0 || digest == 0) revert ZeroValue();
        uint64 number = countOf(caller);
        _items[caller].push(Item(kind, digest, uint64(block.timestamp)));
        emit EvidenceNoted(caller, number, kind, digest, uint64(block.timestamp));
    }

    /// @inheritdoc IEvidence
    function evidenceOf(bytes32 organisation, uint64 number)
        external
        view
        returns (bytes32 kind, bytes32 digest, uint64 recordedAt)
    {
        uint64 before = _predecessor.countOf(organisation);
        if (number < before) return _predecessor.evidenceOf(organisation, number);
        if (number - before >= _items[organisation].length) revert UnknownEvidence(organisation, number);
        Item storage item = _items[organisation][number - before];
        return (item.kind, item.digest, item.recordedAt);
    }

    /// @inheritdoc IEvidence
    function countOf(bytes32 organisation) public view returns (uint64) {
        return _predecessor.countOf(organisation) + uint64(_items[organisation].length);
    }
}
