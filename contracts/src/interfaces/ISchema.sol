// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Document types and their numbered data elements
/// @notice A schema id is the SM3 of its document (docs/formats.md §1), so the document itself travels off chain.
interface ISchema {
    event SchemaRegistered(bytes32 indexed schemaId, bytes32 indexed organisation, uint16 elements, bytes32 supersedes);

    error ZeroValue();
    error SchemaExists(bytes32 schemaId);
    error BadElements(uint16 elements);
    error UnknownSchema(bytes32 schemaId);
    error NotTheOwner(bytes32 schemaId, bytes32 owner);
    error AlreadySuperseded(bytes32 schemaId, bytes32 by);

    /// @notice Registers a schema of 1 to 256 elements; supersedes = 0 or an own schema that nothing supersedes yet.
    function register(bytes32 schemaId, uint16 elements, bytes32 supersedes) external;

    /// @notice elements is 0 for an unknown schema; supersededBy is 0 for a current one.
    function schemaOf(bytes32 schemaId) external view returns (uint16 elements, bytes32 supersededBy, bytes32 by);
}
