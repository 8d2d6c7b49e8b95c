// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Governed} from "./Governed.sol";
import {IDataIndex} from "./interfaces/IDataIndex.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";

/// @title See IDataIndex
contract DataIndex is IDataIndex, Governed {
    struct Batch {
        bytes32 root;
        uint64 firstSequence;
        uint32 count;
        uint64 anchoredAt;
    }

    struct Head {
        uint64 batches;
        uint64 nextSequence;
    }

    bytes32 private constant ENTRY_KIND = "healthtrust/index-entry/v1";
    uint256 private constant ENTRY_BYTES = 256;
    uint256 private constant PACKED_OFFSET = 224;

    mapping(bytes32 organisation => Head) private _heads;
    mapping(bytes32 organisation => mapping(uint64 batch => Batch)) private _batches;
    mapping(bytes32 organisation => mapping(uint64 batch => bytes32)) private _digests;

    constructor(IRegistry registry) Governed(registry) {}

    /// @inheritdoc IDataIndex
    function anchorBatch(bytes32 root, uint64 firstSequence, uint32 count, bytes32 previousRoot) external {
        (bytes32 caller, uint64 batch) = _append(root, firstSequence, count, previousRoot);
        emit BatchAnchored(caller, batch, root, firstSequence, count, previousRoot);
    }

    /// @inheritdoc IDataIndex
    function anchorEntries(bytes32 root, uint64 firstSequence, uint32 count, bytes32 previousRoot, bytes calldata entries) external {
        (bytes32 caller, uint64 batch) = _append(root, firstSequence, count, previousRoot);
        _requireEntries(caller, firstSequence, count, entries);
        _digests[caller][batch] = keccak256(entries);
        emit BatchAnchored(caller, batch, root, firstSequence, count, previousRoot);
        emit EntriesAnchored(caller, batch, root, firstSequence, count, entries);
    }

    /// @inheritdoc IDataIndex
    function batchOf(bytes32 organisation, uint64 batch)
        external
        view
        returns (bytes32 root, uint64 firstSequence, uint32 count, uint64 anchoredAt)
    {
        Batch storage b = _batches[organisation][batch];
        if (b.count == 0) revert UnknownBatch(organisation, batch);
        return (b.root, b.firstSequence, b.count, b.anchoredAt);
    }

    /// @inheritdoc IDataIndex
    function entriesDigestOf(bytes32 organisation, uint64 batch) external view returns (bytes32) {
        return _digests[organisation][batch];
    }

    /// @inheritdoc IDataIndex
    function headOf(bytes32 organisation) external view returns (uint64 batches, uint64 nextSequence, bytes32 lastRoot) {
        Head storage h = _heads[organisation];
        return (h.batches, h.nextSequence, _lastRoot(organisation, h.batches));
    }

    function _append(bytes32 root, uint64 firstSequence, uint32 count, bytes32 previousRoot)
        private
        whenThawed
        returns (bytes32 caller, uint64 batch)
    {
        caller = _activeCaller(ROLE_CUSTODIAN);
        if (root == 0 || count == 0) revert ZeroValue();
        Head storage h = _heads[caller];
        batch = h.batches;
        if (firstSequence != h.nextSequence) revert WrongSequence(firstSequence, h.nextSequence);
        bytes32 last = _lastRoot(caller, batch);
        if (previousRoot != last) revert WrongPreviousRoot(previousRoot, last);
        h.batches = batch + 1;
        h.nextSequence = firstSequence + count;
        _batches[caller][batch] = Batch(root, firstSequence, count, uint64(block.timestamp));
    }

    function _lastRoot(bytes32 organisation, uint64 batches) private view returns (bytes32) {
        return batches == 0 ? bytes32(0) : _batches[organisation][batches - 1].root;
    }

    /// @dev Kind, organisation and sequence of each entry must be those of the batch; else the full list and the run of numbers could differ.
    function _requireEntries(bytes32 caller, uint64 firstSequence, uint32 count, bytes calldata entries) private pure {
        if (entries.length != count * ENTRY_BYTES) revert WrongLength(entries.length, count * ENTRY_BYTES);
        for (uint256 i = 0; i < count; ++i) {
            bytes calldata entry = entries[i * ENTRY_BYTES:(i + 1) * ENTRY_BYTES];
            bool own = bytes32(entry[:32]) == ENTRY_KIND && bytes32(entry[32:64]) == caller;
            if (!own || uint64(bytes8(entry[PACKED_OFFSET:PACKED_OFFSET + 8])) != firstSequence + i) revert WrongEntry(i);
        }
    }
}
