// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Answer, ConsentState, ConsentStatus, CredentialState, CredentialStatus, OrganisationStatus, Request, State} from
    "../types/Types.sol";
import {Scope} from "./Scope.sol";
import {Vocabulary} from "./Vocabulary.sol";

/// @title May this reader read this record? Pure over the ledger's words and the opened scope, docs/formats.md §6
library Decision {
    uint8 internal constant NO_CONSENT = 0;
    uint8 internal constant PERMIT = 1;
    uint8 internal constant DENY = 2;

    uint16 internal constant OK = 0;
    uint16 internal constant SELF = 1;
    uint16 internal constant REQUEST_MALFORMED = 2;
    uint16 internal constant CUSTODIAN_INACTIVE = 3;
    uint16 internal constant ORGANISATION_INACTIVE = 4;
    uint16 internal constant CREDENTIAL_INVALID = 5;
    uint16 internal constant NO_CONSENT_FOUND = 6;
    uint16 internal constant SUBJECT_MISMATCH = 7;
    uint16 internal constant REVOKED = 8;
    uint16 internal constant AMENDED = 9;
    uint16 internal constant NOT_YET_VALID = 10;
    uint16 internal constant EXPIRED = 11;
    uint16 internal constant USES_EXHAUSTED = 12;
    uint16 internal constant COMMITMENT_MISMATCH = 13;
    uint16 internal constant SCOPE_MALFORMED = 14;
    uint16 internal constant SCOPE_STATE_MISMATCH = 15;
    uint16 internal constant GRANTEE_MISMATCH = 16;
    uint16 internal constant PURPOSE_NOT_GRANTED = 17;
    uint16 internal constant CATEGORY_NOT_GRANTED = 18;
    uint16 internal constant CUSTODIAN_NOT_GRANTED = 19;
    uint16 internal constant RECORD_NOT_GRANTED = 20;
    uint16 internal constant FIELDS_NOT_GRANTED = 21;

    /// @param words The opened scope; opened is HMAC-SM3(salt, words), computed by the caller.
    /// @param time UTC seconds.
    function evaluate(State memory state, Request calldata q, bytes calldata words, bytes32 opened, uint64 time)
        internal
        pure
        returns (Answer memory)
    {
        uint16 reason = _requesterReason(state, q, time);
        if (reason == SELF) return Answer(PERMIT, SELF, q.fields);
        if (reason == OK) reason = _consentReason(state.consent, q.subject, time);
        if (reason == OK && opened != state.consent.commitment) reason = COMMITMENT_MISMATCH;
        uint256 fields;
        if (reason == OK) (reason, fields) = _scopeReason(state.consent, q, words);
        if (reason == OK) return Answer(PERMIT, OK, fields);
        return Answer(reason == NO_CONSENT_FOUND ? NO_CONSENT : DENY, reason, 0);
    }

    function _requesterReason(State memory state, Request calldata q, uint64 time) private pure returns (uint16) {
        bool self = q.requester == q.subject && q.purpose == Vocabulary.PATRQT && q.requesterOrganisation == 0;
        if (_malformed(q, self)) return REQUEST_MALFORMED;
        if (state.custodian != uint8(OrganisationStatus.Active)) return CUSTODIAN_INACTIVE;
        if (self) return SELF;
        if (state.requesterOrganisation != uint8(OrganisationStatus.Active)) return ORGANISATION_INACTIVE;
        return _credentialHolds(state.credential, q, time) ? OK : CREDENTIAL_INVALID;
    }

    /// @dev A resident reading their own record belongs to no organisation; everybody else names one: a credential under the resident's id is not the resident.
    function _malformed(Request calldata q, bool self) private pure returns (bool) {
        if (q.purpose >= Vocabulary.PURPOSES || q.category >= Vocabulary.CATEGORIES || q.role >= Vocabulary.ROLES) return true;
        if (q.fields == 0 || q.subject == 0 || q.requester == 0 || q.custodian == 0 || q.record == 0 || q.schema == 0) return true;
        return !self && q.requesterOrganisation == 0;
    }

    function _credentialHolds(CredentialState memory c, Request calldata q, uint64 time) private pure returns (bool) {
        return c.status == uint8(CredentialStatus.Active) && c.organisation == q.requesterOrganisation && time >= c.notBefore
            && time < c.notAfter && (c.roles >> q.role) & 1 == 1;
    }

    function _consentReason(ConsentState memory c, bytes32 subject, uint64 time) private pure returns (uint16) {
        if (c.status == uint8(ConsentStatus.None)) return NO_CONSENT_FOUND;
        if (c.subject != subject) return SUBJECT_MISMATCH;
        if (c.status == uint8(ConsentStatus.Revoked)) return REVOKED;
        if (c.status == uint8(ConsentStatus.Amended)) return AMENDED;
        if (time < c.notBefore) return NOT_YET_VALID;
        if (time >= c.notAfter) return EXPIRED;
        if (c.useLimit > 0 && c.uses >= c.useLimit) return USES_EXHAUSTED;
        return OK;
    }

    function _scopeReason(ConsentState memory c, Request calldata q, bytes calldata words)
        private
        pure
        returns (uint16, uint256 fields)
    {
        (bool wellFormed, Scope.Counts memory n) = Scope.parse(words);
        if (!wellFormed) return (SCOPE_MALFORMED, 0);
        if (!Scope.agrees(words, c)) return (SCOPE_STATE_MISMATCH, 0);
        if (!Scope.names(words, q)) return (GRANTEE_MISMATCH, 0);
        if (!Scope.hasPurpose(words, q.purpose)) return (PURPOSE_NOT_GRANTED, 0);
        if (!Scope.hasCategory(words, q.category)) return (CATEGORY_NOT_GRANTED, 0);
        if (!Scope.hasCustodian(words, n, q.custodian)) return (CUSTODIAN_NOT_GRANTED, 0);
        if (!Scope.hasRecord(words, n, q.record)) return (RECORD_NOT_GRANTED, 0);
        fields = Scope.maskOf(words, n, q.schema) & q.fields;
        return (fields == 0 ? FIELDS_NOT_GRANTED : OK, fields);
    }
}
