package ledger

import (
	"slices"

	"healthtrust/chaincode/words"
)

// Steps of an application.
const (
	stepNone = iota
	stepSubmitted
	stepApproved
	stepRejected
	stepInspected
	stepDelivered
	stepWithdrawn
)

// moves: which steps a step may move to.
var moves = [stepWithdrawn + 1][]uint8{
	stepSubmitted: {stepApproved, stepRejected, stepWithdrawn},
	stepApproved:  {stepInspected, stepWithdrawn},
	stepInspected: {stepRejected, stepDelivered},
}

type application struct {
	Applicant words.Word `json:"applicant"`
	Kind      words.Word `json:"kind"`
	Step      uint8      `json:"step"`
	Digest    words.Word `json:"digest"`
}

func applicationKey(id words.Word) string { return key(workflow, "application", id.Hex()) }

type submitArgs struct {
	ID            words.Word `json:"id"`
	Kind          words.Word `json:"kind"`
	PackageDigest words.Word `json:"packageDigest"`
}

func submit(f *frame, a submitArgs) (none, error) {
	id, _, err := f.activeCaller(0)
	switch {
	case err != nil:
		return none{}, err
	case a.ID.IsZero() || a.Kind.IsZero() || a.PackageDigest.IsZero():
		return none{}, refuse(errZeroValue)
	case load[application](f, applicationKey(a.ID)).Step != stepNone:
		return none{}, refuse(errApplicationExists, field{"id", a.ID})
	}
	save(f, applicationKey(a.ID), application{id, a.Kind, stepSubmitted, a.PackageDigest})
	f.emit(workflow, eventSubmitted, field{"id", a.ID}, field{"organisation", id}, field{"kind", a.Kind},
		field{"packageDigest", a.PackageDigest})
	return none{}, nil
}

type moveArgs struct {
	ID      words.Word `json:"id"`
	ToState uint8      `json:"toState"`
	Digest  words.Word `json:"digest"`
}

// move goes along the table. The applicant alone withdraws; a custodian makes every other move.
func move(f *frame, a moveArgs) (none, error) {
	if a.ToState > stepWithdrawn {
		return none{}, refuse(errRevertedWithoutData)
	}
	role := uint32(roleCustodian)
	if a.ToState == stepWithdrawn {
		role = 0
	}
	id, _, err := f.activeCaller(role)
	was := load[application](f, applicationKey(a.ID))
	switch {
	case err != nil:
		return none{}, err
	case !slices.Contains(moves[was.Step], a.ToState):
		return none{}, refuse(errIllegalMove, field{"id", a.ID}, field{"from", was.Step}, field{"to", a.ToState})
	case a.ToState == stepWithdrawn && id != was.Applicant:
		return none{}, refuse(errNotTheApplicant, field{"id", a.ID}, field{"applicant", was.Applicant})
	}
	save(f, applicationKey(a.ID), application{was.Applicant, was.Kind, a.ToState, a.Digest})
	f.emit(workflow, eventMoved, field{"id", a.ID}, field{"organisation", id}, field{"from", was.Step},
		field{"to", a.ToState}, field{"digest", a.Digest})
	return none{}, nil
}

type allowedArgs struct {
	From uint8 `json:"from"`
	To   uint8 `json:"to"`
}

func allowed(_ *frame, a allowedArgs) (bool, error) {
	if a.From > stepWithdrawn || a.To > stepWithdrawn {
		return false, refuse(errRevertedWithoutData)
	}
	return slices.Contains(moves[a.From], a.To), nil
}

func applicationOf(f *frame, a idArgs) (application, error) {
	return load[application](f, applicationKey(a.ID)), nil
}
