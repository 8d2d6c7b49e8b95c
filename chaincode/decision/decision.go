// Package decision answers one question: may this reader read this record? It is pure over the words the ledger holds and the
// opened scope (docs/formats.md §6), and the same function as core/decision.py and contracts/src/libraries/Decision.sol.
package decision

import "healthtrust/chaincode/words"

// Outcomes.
const (
	NoConsent = 0
	Permit    = 1
	Deny      = 2
)

// Reasons; the numbers are stable.
const (
	OK = iota
	Self
	RequestMalformed
	CustodianInactive
	OrganisationInactive
	CredentialInvalid
	NoConsentFound
	SubjectMismatch
	Revoked
	Amended
	NotYetValid
	Expired
	UsesExhausted
	CommitmentMismatch
	ScopeMalformed
	ScopeStateMismatch
	GranteeMismatch
	PurposeNotGranted
	CategoryNotGranted
	CustodianNotGranted
	RecordNotGranted
	FieldsNotGranted
)

const (
	organisationActive = 1

	consentNone    = 0
	consentAmended = 2
	consentRevoked = 3

	credentialActive = 1
)

// ConsentState is the consent words a decision needs. Times are UTC seconds.
type ConsentState struct {
	Subject    words.Word   `json:"subject"`
	Commitment words.Word   `json:"commitment"`
	NotBefore  words.Uint64 `json:"notBefore"`
	NotAfter   words.Uint64 `json:"notAfter"`
	UseLimit   uint32       `json:"useLimit"`
	Uses       uint32       `json:"uses"`
	Status     uint8        `json:"status"`
}

// CredentialState is the credential words a decision needs. Times are UTC seconds.
type CredentialState struct {
	Organisation words.Word   `json:"organisation"`
	Roles        uint32       `json:"roles"`
	NotBefore    words.Uint64 `json:"notBefore"`
	NotAfter     words.Uint64 `json:"notAfter"`
	Status       uint8        `json:"status"`
}

// State is everything the ledger holds that a decision depends on.
type State struct {
	Consent               ConsentState    `json:"consent"`
	RequesterOrganisation uint8           `json:"requesterOrganisation"`
	Custodian             uint8           `json:"custodian"`
	Credential            CredentialState `json:"credential"`
}

// Request is who asks for what. Fields is the mask asked for; the numbers are those of core/vocabulary.json.
type Request struct {
	Subject               words.Word    `json:"subject"`
	Requester             words.Word    `json:"requester"`
	RequesterOrganisation words.Word    `json:"requesterOrganisation"`
	Role                  uint8         `json:"role"`
	Purpose               uint8         `json:"purpose"`
	Category              uint8         `json:"category"`
	Custodian             words.Word    `json:"custodian"`
	Record                words.Word    `json:"record"`
	Schema                words.Word    `json:"schema"`
	Fields                words.Uint256 `json:"fields"`
}

// Answer is the outcome, the reason, and the fields granted and asked (0 unless permitted).
type Answer struct {
	Outcome uint8         `json:"outcome"`
	Reason  uint16        `json:"reason"`
	Fields  words.Uint256 `json:"fields"`
}

// Evaluate decides at a time (UTC seconds). opened is HMAC-SM3(salt, scope), computed by the caller.
func Evaluate(state State, q Request, scopeWords []byte, opened words.Word, time uint64) Answer {
	reason := requesterReason(state, q, time)
	if reason == Self {
		return Answer{Permit, Self, q.Fields}
	}
	if reason == OK {
		reason = consentReason(state.Consent, q.Subject, time)
	}
	if reason == OK && opened != state.Consent.Commitment {
		reason = CommitmentMismatch
	}
	var fields words.Uint256
	if reason == OK {
		reason, fields = scopeReason(state.Consent, q, scopeWords)
	}
	return Answer{outcomeOf(reason), reason, fields}
}

func outcomeOf(reason uint16) uint8 {
	switch reason {
	case OK:
		return Permit
	case NoConsentFound:
		return NoConsent
	default:
		return Deny
	}
}

func requesterReason(state State, q Request, time uint64) uint16 {
	self := q.Requester == q.Subject && q.Purpose == patrqt && q.RequesterOrganisation.IsZero()
	switch {
	case malformed(q, self):
		return RequestMalformed
	case state.Custodian != organisationActive:
		return CustodianInactive
	case self:
		return Self
	case state.RequesterOrganisation != organisationActive:
		return OrganisationInactive
	case !credentialHolds(state.Credential, q, time):
		return CredentialInvalid
	default:
		return OK
	}
}

// malformed: a resident reading their own record belongs to no organisation; everybody else names one, for a credential under
// the resident's id is not the resident.
func malformed(q Request, self bool) bool {
	if q.Purpose >= purposes || q.Category >= categories || q.Role >= Roles || q.Fields.IsZero() {
		return true
	}
	for _, id := range []words.Word{q.Subject, q.Requester, q.Custodian, q.Record, q.Schema} {
		if id.IsZero() {
			return true
		}
	}
	return !self && q.RequesterOrganisation.IsZero()
}

func credentialHolds(c CredentialState, q Request, time uint64) bool {
	current := c.Status == credentialActive && time >= uint64(c.NotBefore) && time < uint64(c.NotAfter)
	return current && c.Organisation == q.RequesterOrganisation && c.Roles>>q.Role&1 == 1
}

func consentReason(c ConsentState, subject words.Word, time uint64) uint16 {
	switch {
	case c.Status == consentNone:
		return NoConsentFound
	case c.Subject != subject:
		return SubjectMismatch
	case c.Status == consentRevoked:
		return Revoked
	case c.Status == consentAmended:
		return Amended
	case time < uint64(c.NotBefore):
		return NotYetValid
	case time >= uint64(c.NotAfter):
		return Expired
	case c.UseLimit > 0 && c.Uses >= c.UseLimit:
		return UsesExhausted
	default:
		return OK
	}
}

func scopeReason(c ConsentState, q Request, scopeWords []byte) (reason uint16, fields words.Uint256) {
	s, wellFormed := parseScope(scopeWords)
	switch {
	case !wellFormed:
		return ScopeMalformed, fields
	case !s.agrees(c):
		return ScopeStateMismatch, fields
	case !s.names(q):
		return GranteeMismatch, fields
	case !s.hasPurpose(q.Purpose):
		return PurposeNotGranted, fields
	case !s.hasCategory(q.Category):
		return CategoryNotGranted, fields
	case !s.hasCustodian(q.Custodian):
		return CustodianNotGranted, fields
	case !s.hasRecord(q.Record):
		return RecordNotGranted, fields
	}
	if fields = s.maskOf(q.Schema).And(q.Fields); fields.IsZero() {
		return FieldsNotGranted, fields
	}
	return OK, fields
}
