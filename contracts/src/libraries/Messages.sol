// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ISM2Verifier} from "../interfaces/ISM2Verifier.sol";

/// @title The words that people and organisations sign, docs/formats.md §4
library Messages {
    bytes32 internal constant DOMAIN = "healthtrust/domain/v1";
    bytes32 internal constant KEY_BIND = "healthtrust/key-bind/v1";
    bytes32 internal constant KEY_ATTEST = "healthtrust/key-attest/v1";
    bytes32 internal constant KEY_ROTATE = "healthtrust/key-rotate/v1";
    bytes32 internal constant KEY_RECOVER = "healthtrust/key-recover/v1";
    bytes32 internal constant KEY_VETO = "healthtrust/key-veto/v1";
    bytes32 internal constant ORGANISATION_KEY = "healthtrust/organisation-key/v1";
    bytes32 internal constant ALLIANCE_LEAVE = "healthtrust/alliance-leave/v1";
    bytes32 internal constant ALLIANCE_PROPOSAL = "healthtrust/alliance-proposal/v1";
    bytes32 internal constant ALLIANCE_VOTE = "healthtrust/alliance-vote/v1";
    bytes32 internal constant LEDGER_ACCOUNT = "healthtrust/ledger-account/v1";
    bytes32 internal constant CONSENT_GRANT = "healthtrust/consent-grant/v1";
    bytes32 internal constant CONSENT_AMEND = "healthtrust/consent-amend/v1";
    bytes32 internal constant CONSENT_REVOKE = "healthtrust/consent-revoke/v1";
    bytes32 internal constant CREDENTIAL_ISSUE = "healthtrust/credential-issue/v1";
    bytes32 internal constant CREDENTIAL_REVOKE = "healthtrust/credential-revoke/v1";
    bytes32 internal constant EMERGENCY_OPEN = "healthtrust/emergency-open/v1";

    /// @dev What ties a message to one ledger and one contract.
    function domain(ISM2Verifier crypto, bytes32 ledgerId, address verifying) internal view returns (bytes32) {
        return crypto.hash(abi.encode(DOMAIN, ledgerId, verifying));
    }
}
