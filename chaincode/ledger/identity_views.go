package ledger

import (
	"healthtrust/chaincode/decision"
	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

type subjectKeyView struct {
	X       words.Word `json:"x"`
	Y       words.Word `json:"y"`
	Z       words.Word `json:"z"`
	Status  uint8      `json:"status"`
	Version uint32     `json:"version"`
}

func subjectKeyOf(f *frame, a subjectArgs) (view subjectKeyView, err error) {
	k := f.subjectKey(a.Subject)
	view = subjectKeyView{X: k.X, Y: k.Y, Version: k.Version}
	if k.Version > 0 {
		view.Z, view.Status = national.ZOf(k.X, k.Y), 1
	}
	return view, nil
}

func subjectNonceOf(f *frame, a subjectArgs) (words.Uint64, error) {
	return f.subjectKey(a.Subject).Nonce, nil
}

func recoveryOf(f *frame, a subjectArgs) (recovery, error) { return f.recovery(a.Subject), nil }

type practitionerArgs struct {
	Practitioner words.Word `json:"practitioner"`
}

func credentialOf(f *frame, a practitionerArgs) (credential, error) {
	return f.credential(a.Practitioner), nil
}

func credentialStateOf(f *frame, a practitionerArgs) (decision.CredentialState, error) {
	return f.credential(a.Practitioner).state(), nil
}

func credentialNonceOf(f *frame, a practitionerArgs) (words.Uint64, error) {
	return load[words.Uint64](f, credentialNonceKey(a.Practitioner)), nil
}

func recoveryDelayOf(*frame, none) (words.Uint64, error) { return recoveryDelay, nil }
