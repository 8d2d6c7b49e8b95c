package ledger

import (
	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

func ledgerIDOf(f *frame, _ none) (words.Word, error) { return f.facts.LedgerID, nil }

func nameOf(f *frame, _ none) (string, error) { return f.facts.Name, nil }

type governance struct {
	Numerator   words.Uint64 `json:"numerator"`
	Denominator words.Uint64 `json:"denominator"`
}

func governanceOf(*frame, none) (governance, error) { return governance{1, 2}, nil }

func activeMembers(f *frame, _ none) (words.Uint64, error) { return words.Uint64(f.activeCount()), nil }

type organisationView struct {
	Status     uint8        `json:"status"`
	Roles      uint32       `json:"roles"`
	X          words.Word   `json:"x"`
	Y          words.Word   `json:"y"`
	NameDigest words.Word   `json:"nameDigest"`
	JoinedAt   words.Uint64 `json:"joinedAt"`
}

func organisationOf(f *frame, a organisationArgs) (organisationView, error) {
	o := f.member(a.ID)
	return organisationView{o.Status, o.Roles, o.X, o.Y, o.NameDigest, o.JoinedAt}, nil
}

type organisationKeyView struct {
	X     words.Word   `json:"x"`
	Y     words.Word   `json:"y"`
	Z     words.Word   `json:"z"`
	Nonce words.Uint64 `json:"nonce"`
}

func organisationKeyOf(f *frame, a organisationArgs) (view organisationKeyView, err error) {
	o := f.member(a.ID)
	view = organisationKeyView{X: o.X, Y: o.Y, Nonce: o.KeyNonce}
	if o.KeyNonce > 0 {
		view.Z = national.ZOf(o.X, o.Y)
	}
	return view, nil
}

type accountArgs struct {
	Account words.Address `json:"account"`
}

func organisationOfAccount(f *frame, a accountArgs) (words.Word, error) {
	id, _ := f.seatOf(a.Account)
	return id, nil
}

func statusOf(f *frame, a organisationArgs) (uint8, error) { return f.member(a.ID).Status, nil }

type memberView struct {
	ID     words.Word `json:"id"`
	Status uint8      `json:"status"`
	Roles  uint32     `json:"roles"`
}

func memberOf(f *frame, a accountArgs) (memberView, error) {
	id, o := f.seatOf(a.Account)
	return memberView{id, o.Status, o.Roles}, nil
}

type proposalArgs struct {
	Proposal words.Uint256 `json:"proposal"`
}

func proposalOf(f *frame, a proposalArgs) (proposal, error) {
	_, p, err := f.proposal(a.Proposal)
	return p, err
}

// domainOf makes the view of what signed messages to a contract carry as domain.
func domainOf(contract string) func(*frame, none) (words.Word, error) {
	return func(f *frame, _ none) (words.Word, error) { return f.domain(contract), nil }
}
