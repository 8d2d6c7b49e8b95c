package ledger

import (
	"slices"

	"healthtrust/chaincode/decision"
	"healthtrust/chaincode/words"
)

type consentArgs struct {
	Consent words.Word `json:"consent"`
}

type consentView struct {
	Subject    words.Word    `json:"subject"`
	Commitment words.Word    `json:"commitment"`
	Packed     words.Uint256 `json:"packed"`
	Uses       uint32        `json:"uses"`
	Status     uint8         `json:"status"`
	Successor  words.Word    `json:"successor"`
}

func consentOf(f *frame, a consentArgs) (consentView, error) {
	c := load[sealed](f, consentKey(a.Consent))
	view := consentView{Subject: c.Subject, Commitment: c.Commitment, Uses: c.Uses, Status: c.Status}
	view.Packed = c.packedOf()
	if c.Status == consentAmended {
		view.Successor = c.Link
	}
	return view, nil
}

type subjectArgs struct {
	Subject words.Word `json:"subject"`
}

func consentNonceOf(f *frame, a subjectArgs) (words.Uint64, error) {
	return load[words.Uint64](f, consentNonceKey(a.Subject)), nil
}

type query struct {
	Consent               words.Word `json:"consent"`
	Requester             words.Word `json:"requester"`
	RequesterOrganisation words.Word `json:"requesterOrganisation"`
	Custodian             words.Word `json:"custodian"`
}

type statesArgs struct {
	Queries []query `json:"queries"`
}

// statesOf is the ledger's words behind each query.
func statesOf(f *frame, a statesArgs) ([]decision.State, error) {
	f.expectStates(a.Queries)
	states := make([]decision.State, len(a.Queries))
	for i, q := range a.Queries {
		states[i] = f.stateOf(q)
	}
	return states, nil
}

// expectStates fetches what a number of decisions depend on at once: a peer's round trips cost more than the rest of a decision.
func (f *frame) expectStates(queries []query) {
	keys := make([]string, 0, 4*len(queries))
	for _, q := range queries {
		keys = append(keys, consentKey(q.Consent), organisationKey(q.RequesterOrganisation), organisationKey(q.Custodian),
			credentialKey(q.Requester))
	}
	slices.Sort(keys)
	f.expect(slices.Compact(keys)...)
}

func (f *frame) stateOf(q query) decision.State {
	c := load[sealed](f, consentKey(q.Consent))
	return decision.State{
		Consent: decision.ConsentState{
			Subject: c.Subject, Commitment: c.Commitment, NotBefore: c.NotBefore, NotAfter: c.NotAfter, UseLimit: c.UseLimit,
			Uses: c.Uses, Status: c.Status,
		},
		RequesterOrganisation: f.member(q.RequesterOrganisation).Status,
		Custodian:             f.member(q.Custodian).Status,
		Credential:            f.credential(q.Requester).state(),
	}
}
