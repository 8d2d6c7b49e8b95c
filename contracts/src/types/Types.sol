// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @dev Status of an organisation. Values 0 to 3 are those of docs/formats.md §6; an invited organisation is not yet active.
enum OrganisationStatus {
    None,
    Active,
    Suspended,
    Left,
    Invited
}

/// @dev What the alliance can decide by vote.
enum Action {
    Invite, // args: abi.encode(OrganisationInit)
    Suspend, // args: abi.encode(bytes32 organisation)
    Restore, // args: abi.encode(bytes32 organisation)
    Expel, // args: abi.encode(bytes32 organisation)
    SetRoles, // args: abi.encode(bytes32 organisation, uint32 roles)
    RotateKey, // args: abi.encode(bytes32 organisation, bytes32 x, bytes32 y)
    Execute // args: abi.encode(address target, bytes data): a call of another contract governed by the alliance
}

/// @dev A member as it is invited: its id, SM3 of its public name, role bits, SM2 key and first ledger account.
struct OrganisationInit {
    bytes32 id;
    bytes32 nameDigest;
    uint32 roles;
    bytes32 x;
    bytes32 y;
    address account;
}

/// @dev Status of a consent, docs/formats.md §6.
enum ConsentStatus {
    None,
    Active,
    Amended,
    Revoked
}

/// @dev Status of a practitioner's credential, docs/formats.md §6.
enum CredentialStatus {
    None,
    Active,
    Revoked
}

/// @dev The consent words a decision needs.
struct ConsentState {
    bytes32 subject;
    bytes32 commitment;
    uint64 notBefore;
    uint64 notAfter;
    uint32 useLimit;
    uint32 uses;
    uint8 status;
}

/// @dev The credential words a decision needs.
struct CredentialState {
    bytes32 organisation;
    uint32 roles;
    uint64 notBefore;
    uint64 notAfter;
    uint8 status;
}

/// @dev Everything the ledger holds that a decision depends on.
struct State {
    ConsentState consent;
    uint8 requesterOrganisation;
    uint8 custodian;
    CredentialState credential;
}

/// @dev Names the state of one decision.
struct Query {
    bytes32 consent;
    bytes32 requester;
    bytes32 requesterOrganisation;
    bytes32 custodian;
}

/// @dev Who asks for what. `fields` is the mask asked for; numbers are those of core/vocabulary.json.
struct Request {
    bytes32 subject;
    bytes32 requester;
    bytes32 requesterOrganisation;
    uint8 role;
    uint8 purpose;
    uint8 category;
    bytes32 custodian;
    bytes32 record;
    bytes32 schema;
    uint256 fields;
}

/// @dev One of many decisions asked for in one call.
struct Ask {
    Request request;
    bytes32 consent;
    bytes scopeWords;
    bytes32 salt;
}

/// @dev outcome: 0 no-consent, 1 permit, 2 deny. reason: docs/formats.md §6. fields: granted and asked; 0 unless permitted.
struct Answer {
    uint8 outcome;
    uint16 reason;
    uint256 fields;
}
