// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Governed} from "./Governed.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {ISchema} from "./interfaces/ISchema.sol";

/// @title See ISchema
contract Schema is ISchema, Governed {
    struct Registered {
        bytes32 by;
        bytes32 supersededBy;
        uint16 elements;
    }

    uint16 private constant MAX_ELEMENTS = 256;

    mapping(bytes32 schemaId => Registered) private _schemas;

    constructor(IRegistry registry) Governed(registry) {}

    /// @inheritdoc ISchema
    function register(bytes32 schemaId, uint16 elements, bytes32 supersedes) external whenThawed {
        bytes32 caller = _activeCaller(0);
        if (schemaId == 0) revert ZeroValue();
        if (_schemas[schemaId].elements != 0) revert SchemaExists(schemaId);
        if (elements == 0 || elements > MAX_ELEMENTS) revert BadElements(elements);
        if (supersedes != 0) _supersede(supersedes, schemaId, caller);
        _schemas[schemaId] = Registered(caller, 0, elements);
        emit SchemaRegistered(schemaId, caller, elements, supersedes);
    }

    /// @inheritdoc ISchema
    function schemaOf(bytes32 schemaId) external view returns (uint16 elements, bytes32 supersededBy, bytes32 by) {
        Registered storage s = _schemas[schemaId];
        return (s.elements, s.supersededBy, s.by);
    }

    function _supersede(bytes32 old, bytes32 schemaId, bytes32 caller) private {
        Registered storage s = _schemas[old];
        if (s.elements == 0) revert UnknownSchema(old);
        if (s.by != caller) revert NotTheOwner(old, s.by);
        if (s.supersededBy != 0) revert AlreadySuperseded(old, s.supersededBy);
        s.supersededBy = schemaId;
    }
}
