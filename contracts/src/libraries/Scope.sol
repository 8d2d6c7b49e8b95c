// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ConsentState, Request} from "../types/Types.sol";

/// @title The words of an opened consent scope, docs/formats.md §5
library Scope {
    struct Counts {
        uint256 custodians;
        uint256 records;
        uint256 masks;
        bool anyCustodian;
        bool anyRecord;
        bool anySchema;
    }

    bytes32 private constant KIND = "healthtrust/scope/v1";
    uint256 private constant FIXED_WORDS = 7;
    uint256 private constant GRANTEE_PRACTITIONER = 1;
    uint256 private constant GRANTEE_ORGANISATION = 2;
    uint256 private constant GRANTEE_ROLE = 3;
    uint256 private constant GRANTEE_LINK = 4;

    /// @dev Whether the words have the one shape there is, and how many of each list they hold.
    function parse(bytes calldata words) internal pure returns (bool, Counts memory n) {
        if (words.length < FIXED_WORDS * 32 || words.length % 32 != 0 || _word(words, 0) != KIND) return (false, n);
        uint256 head = uint256(_word(words, 2));
        uint256 flags = uint8(head >> 136);
        n = Counts(uint16(head >> 176), uint16(head >> 160), uint16(head >> 144), flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
        if (!_headHolds(head, flags) || !_flagsHold(n)) return (false, n);
        if (uint96(uint256(_word(words, 5))) != 0) return (false, n);
        if (words.length != 32 * (FIXED_WORDS + n.custodians + n.records + 2 * n.masks)) return (false, n);
        return (_sorted(words, n), n);
    }

    /// @dev Whether subject, period and use limit are those the ledger holds.
    function agrees(bytes calldata words, ConsentState memory c) internal pure returns (bool) {
        uint256 packed = (uint256(c.notBefore) << 192) | (uint256(c.notAfter) << 128) | (uint256(c.useLimit) << 96);
        return _word(words, 1) == c.subject && uint256(_word(words, 5)) == packed;
    }

    /// @dev Whether the requester is the grantee.
    function names(bytes calldata words, Request calldata q) internal pure returns (bool) {
        uint256 kind = uint8(words[64]);
        (bytes32 id, bytes32 organisation) = (_word(words, 3), _word(words, 4));
        bool bound = organisation == 0 || organisation == q.requesterOrganisation;
        if (kind == GRANTEE_PRACTITIONER) return id == q.requester && bound;
        if (kind == GRANTEE_ORGANISATION) return id == q.requesterOrganisation;
        if (kind == GRANTEE_ROLE) return uint256(id) == q.role && bound;
        return id == q.requester;
    }

    function hasPurpose(bytes calldata words, uint8 purpose) internal pure returns (bool) {
        return (uint256(_word(words, 2)) >> (192 + purpose)) & 1 == 1;
    }

    function hasCategory(bytes calldata words, uint8 category) internal pure returns (bool) {
        return (uint256(_word(words, 6)) >> category) & 1 == 1;
    }

    function hasCustodian(bytes calldata words, Counts memory n, bytes32 custodian) internal pure returns (bool) {
        return n.anyCustodian || _contains(words, FIXED_WORDS, n.custodians, custodian);
    }

    function hasRecord(bytes calldata words, Counts memory n, bytes32 record) internal pure returns (bool) {
        return n.anyRecord || _contains(words, FIXED_WORDS + n.custodians, n.records, record);
    }

    /// @dev The fields granted of a schema; none where it is not named.
    function maskOf(bytes calldata words, Counts memory n, bytes32 schema) internal pure returns (uint256) {
        if (n.anySchema) return type(uint256).max;
        uint256 first = FIXED_WORDS + n.custodians + n.records;
        for (uint256 i = 0; i < n.masks; ++i) {
            if (_word(words, first + 2 * i) == schema) return uint256(_word(words, first + 2 * i + 1));
        }
        return 0;
    }

    function _headHolds(uint256 head, uint256 flags) private pure returns (bool) {
        (uint256 grantee, uint256 mode, uint256 onward) = (uint8(head >> 248), uint8(head >> 240), uint8(head >> 232));
        bool known = grantee >= GRANTEE_PRACTITIONER && grantee <= GRANTEE_LINK && mode >= 1 && mode <= 3 && onward <= 1;
        return known && uint8(head >> 224) == 0 && flags <= 7 && uint136(head) == 0;
    }

    /// @dev A list beside its any-flag would say two things.
    function _flagsHold(Counts memory n) private pure returns (bool) {
        return !(n.anyCustodian && n.custodians != 0) && !(n.anyRecord && n.records != 0) && !(n.anySchema && n.masks != 0);
    }

    function _sorted(bytes calldata words, Counts memory n) private pure returns (bool) {
        uint256 records = FIXED_WORDS + n.custodians;
        return _ascending(words, FIXED_WORDS, n.custodians, 1) && _ascending(words, records, n.records, 1)
            && _ascending(words, records + n.records, n.masks, 2);
    }

    function _ascending(bytes calldata words, uint256 first, uint256 count, uint256 step) private pure returns (bool) {
        for (uint256 i = 1; i < count; ++i) {
            if (_word(words, first + i * step) <= _word(words, first + (i - 1) * step)) return false;
        }
        return true;
    }

    function _contains(bytes calldata words, uint256 first, uint256 count, bytes32 wanted) private pure returns (bool) {
        for (uint256 i = 0; i < count; ++i) {
            if (_word(words, first + i) == wanted) return true;
        }
        return false;
    }

    function _word(bytes calldata words, uint256 i) private pure returns (bytes32) {
        return bytes32(words[32 * i:32 * i + 32]);
    }
}
