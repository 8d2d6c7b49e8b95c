// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Governed} from "./Governed.sol";
import {IConsent} from "./interfaces/IConsent.sol";
import {IIdentity} from "./interfaces/IIdentity.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {ISM2Verifier} from "./interfaces/ISM2Verifier.sol";
import {Decision} from "./libraries/Decision.sol";
import {Messages} from "./libraries/Messages.sol";
import {Answer, Ask, ConsentState, ConsentStatus, Query, Request, State} from "./types/Types.sol";

/// @title See IConsent
contract Consent is IConsent, Governed {
    struct Sealed {
        bytes32 subject;
        bytes32 commitment;
        uint64 notBefore;
        uint64 notAfter;
        uint32 useLimit;
        uint32 uses;
        uint56 nonce; // counts up by one from 0, so 56 bits never run out, and the word takes the status too
        ConsentStatus status;
        bytes32 link; // active: the last value shown of the use chain (0 before the first); amended: the successor
    }

    IIdentity private immutable _identity;
    ISM2Verifier private immutable _crypto;
    bytes32 private immutable _domain;
    mapping(bytes32 consent => Sealed) private _consents;
    mapping(bytes32 subject => uint64) private _nonces;

    constructor(IRegistry registry, ISM2Verifier crypto, IIdentity identity) Governed(registry) {
        _crypto = crypto;
        _identity = identity;
        _domain = Messages.domain(crypto, _alliance.ledgerId(), address(this));
    }

    /// @inheritdoc IConsent
    function grant(bytes32 subject, bytes32 consent, bytes32 commitment, uint256 packed, bytes32 r, bytes32 s) external whenThawed {
        bytes memory message = abi.encode(Messages.CONSENT_GRANT, _domain, subject, consent, commitment, packed);
        bytes32 e = _authorise(subject, packed, message, r, s);
        _store(subject, consent, commitment, packed);
        emit ConsentGranted(consent, subject, commitment, packed, e);
    }

    /// @inheritdoc IConsent
    function amend(
        bytes32 subject,
        bytes32 oldConsent,
        bytes32 consent,
        bytes32 commitment,
        uint256 packed,
        bytes32 r,
        bytes32 s
    ) external whenThawed {
        bytes memory message = abi.encode(Messages.CONSENT_AMEND, _domain, subject, consent, commitment, packed, oldConsent);
        bytes32 e = _authorise(subject, packed, message, r, s);
        Sealed storage old = _requireActive(oldConsent, subject);
        old.status = ConsentStatus.Amended;
        old.link = consent;
        _store(subject, consent, commitment, packed);
        emit ConsentAmended(oldConsent, consent, subject, commitment, packed, e);
    }

    /// @inheritdoc IConsent
    function revoke(bytes32 subject, bytes32 consent, uint256 packed, bytes32 r, bytes32 s) external {
        if (packed >> 64 != 0) revert ReservedBits(packed);
        bytes memory message = abi.encode(Messages.CONSENT_REVOKE, _domain, subject, consent, packed);
        bytes32 e = _authorise(subject, packed, message, r, s);
        _requireActive(consent, subject).status = ConsentStatus.Revoked;
        emit ConsentRevoked(consent, subject, packed, e);
    }

    /// @inheritdoc IConsent
    function spend(bytes32 consent, bytes32 preimage) external whenThawed {
        bytes32 by = _activeCaller(0);
        Sealed storage c = _consents[consent];
        if (c.status != ConsentStatus.Active) revert ConsentNotActive(consent, c.status);
        if (block.timestamp < c.notBefore || block.timestamp >= c.notAfter) revert OutsidePeriod(consent, uint64(block.timestamp));
        if (c.uses >= c.useLimit) revert UsesExhausted(consent, c.useLimit);
        bytes32 shown = c.uses == 0 ? consent : c.link;
        if (_crypto.hash(abi.encode(preimage)) != shown) revert WrongPreimage(consent);
        c.link = preimage;
        emit ConsentSpent(consent, ++c.uses, by);
    }

    /// @inheritdoc IConsent
    function consentOf(bytes32 consent)
        external
        view
        returns (bytes32 subject, bytes32 commitment, uint256 packed, uint32 uses, uint8 status, bytes32 successor)
    {
        Sealed storage c = _consents[consent];
        packed = (uint256(c.notBefore) << 192) | (uint256(c.notAfter) << 128) | (uint256(c.useLimit) << 96) | c.nonce;
        successor = c.status == ConsentStatus.Amended ? c.link : bytes32(0);
        return (c.subject, c.commitment, packed, c.uses, uint8(c.status), successor);
    }

    /// @inheritdoc IConsent
    function nonceOf(bytes32 subject) external view returns (uint64) {
        return _nonces[subject];
    }

    /// @inheritdoc IConsent
    function statesOf(Query[] calldata queries) external view whenThawed returns (State[] memory states) {
        states = new State[](queries.length);
        for (uint256 i = 0; i < queries.length; ++i) {
            Query calldata q = queries[i];
            states[i] = _state(q.consent, q.requester, q.requesterOrganisation, q.custodian);
        }
    }

    /// @inheritdoc IConsent
    function decide(Request calldata request, bytes32 consent, bytes calldata scopeWords, bytes32 salt, uint64 time)
        external
        view
        whenThawed
        returns (uint8 outcome, uint16 reason, uint256 fields)
    {
        Answer memory a = _decide(request, consent, scopeWords, salt, time);
        return (a.outcome, a.reason, a.fields);
    }

    /// @inheritdoc IConsent
    function decideMany(Ask[] calldata asks, uint64 time) external view whenThawed returns (Answer[] memory answers) {
        answers = new Answer[](asks.length);
        for (uint256 i = 0; i < asks.length; ++i) {
            Ask calldata a = asks[i];
            answers[i] = _decide(a.request, a.consent, a.scopeWords, a.salt, time);
        }
    }

    /// @inheritdoc IConsent
    function domain() external view returns (bytes32) {
        return _domain;
    }

    function _store(bytes32 subject, bytes32 consent, bytes32 commitment, uint256 packed) private {
        if (consent == 0 || commitment == 0) revert ZeroValue();
        Sealed storage c = _consents[consent];
        if (c.status != ConsentStatus.None) revert ConsentExists(consent);
        (uint64 notBefore, uint64 notAfter) = (uint64(packed >> 192), uint64(packed >> 128));
        if (uint32(packed >> 64) != 0) revert ReservedBits(packed);
        if (notBefore >= notAfter || notAfter <= block.timestamp) revert BadPeriod(notBefore, notAfter);
        (c.subject, c.commitment, c.status) = (subject, commitment, ConsentStatus.Active);
        (c.notBefore, c.notAfter, c.useLimit, c.nonce) = (notBefore, notAfter, uint32(packed >> 96), uint56(packed));
    }

    /// @dev The one place where a subject's will is established: nonce, then signature of the current key.
    function _authorise(bytes32 subject, uint256 packed, bytes memory message, bytes32 r, bytes32 s) private returns (bytes32 e) {
        uint64 nonce = _nonces[subject];
        if (uint64(packed) != nonce) revert WrongNonce(uint64(packed), nonce);
        _nonces[subject] = nonce + 1;
        (bytes32 x, bytes32 y, bytes32 z, uint8 status,) = _identity.keyOf(subject);
        if (status != 1) revert NoKey(subject);
        bool valid;
        (valid, e) = _crypto.verifyMessage(z, message, r, s, x, y);
        if (!valid) revert BadSignature(e);
    }

    function _requireActive(bytes32 consent, bytes32 subject) private view returns (Sealed storage c) {
        c = _consents[consent];
        if (c.status != ConsentStatus.Active) revert ConsentNotActive(consent, c.status);
        if (c.subject != subject) revert WrongSubject(consent, subject);
    }

    function _state(bytes32 consent, bytes32 requester, bytes32 organisation, bytes32 custodian) private view returns (State memory) {
        Sealed storage c = _consents[consent];
        return State({
            consent: ConsentState(c.subject, c.commitment, c.notBefore, c.notAfter, c.useLimit, c.uses, uint8(c.status)),
            requesterOrganisation: _alliance.statusOf(organisation),
            custodian: _alliance.statusOf(custodian),
            credential: _identity.credentialState(requester)
        });
    }

    function _decide(Request calldata q, bytes32 consent, bytes calldata words, bytes32 salt, uint64 time)
        private
        view
        returns (Answer memory)
    {
        State memory state = _state(consent, q.requester, q.requesterOrganisation, q.custodian);
        return Decision.evaluate(state, q, words, _crypto.hmac(salt, words), time);
    }
}
