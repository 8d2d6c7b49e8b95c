package ledger

import (
	"healthtrust/chaincode/decision"
	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

// Status of a credential.
const (
	credentialNone = iota
	credentialActive
	credentialRevoked
)

type credential struct {
	Organisation words.Word   `json:"organisation"`
	X            words.Word   `json:"x"`
	Y            words.Word   `json:"y"`
	Roles        uint32       `json:"roles"`
	NotBefore    words.Uint64 `json:"notBefore"`
	NotAfter     words.Uint64 `json:"notAfter"`
	Status       uint8        `json:"status"`
}

func credentialKey(practitioner words.Word) string {
	return key(identity, "credential", practitioner.Hex())
}

func credentialNonceKey(practitioner words.Word) string {
	return key(identity, "credential-nonce", practitioner.Hex())
}

func (f *frame) credential(practitioner words.Word) credential {
	return load[credential](f, credentialKey(practitioner))
}

// state is the credential as decisions need it.
func (c credential) state() decision.CredentialState {
	return decision.CredentialState{
		Organisation: c.Organisation, Roles: c.Roles, NotBefore: c.NotBefore, NotAfter: c.NotAfter, Status: c.Status,
	}
}

type issueArgs struct {
	Practitioner words.Word   `json:"practitioner"`
	X            words.Word   `json:"x"`
	Y            words.Word   `json:"y"`
	Roles        uint32       `json:"roles"`
	NotBefore    words.Uint64 `json:"notBefore"`
	NotAfter     words.Uint64 `json:"notAfter"`
	Signature    words.Bytes  `json:"signature"`
}

// issueCredential issues or replaces a credential of the caller's organisation, signed by its SM2 key.
func issueCredential(f *frame, a issueArgs) (none, error) {
	issuer, o, err := f.activeCaller(0)
	if err != nil {
		return none{}, err
	}
	if err := issuable(f, issuer, a); err != nil {
		return none{}, err
	}
	period := []words.Word{words.FromUint64(uint64(a.NotBefore)), words.FromUint64(uint64(a.NotAfter))}
	terms := append([]words.Word{a.X, a.Y, words.FromUint64(uint64(a.Roles))}, period...)
	if err := requireIssuer(f, kindCredentialIssue, issuer, o, a.Practitioner, terms, a.Signature); err != nil {
		return none{}, err
	}
	issued := credential{issuer, a.X, a.Y, a.Roles, a.NotBefore, a.NotAfter, credentialActive}
	save(f, credentialKey(a.Practitioner), issued)
	f.emit(identity, eventCredentialIssued, field{"practitioner", a.Practitioner}, field{"organisation", issuer},
		field{"x", a.X}, field{"y", a.Y}, field{"roles", a.Roles}, field{"notBefore", a.NotBefore}, field{"notAfter", a.NotAfter})
	return none{}, nil
}

func issuable(f *frame, issuer words.Word, a issueArgs) error {
	switch {
	case a.Practitioner.IsZero():
		return refuse(errZeroValue)
	case a.Roles == 0 || a.Roles>>decision.Roles != 0:
		return refuse(errUnknownRoles, field{"roles", a.Roles})
	case a.NotBefore >= a.NotAfter || uint64(a.NotAfter) <= f.time:
		return badPeriod(uint64(a.NotBefore), uint64(a.NotAfter))
	case !national.OnCurve(a.X, a.Y):
		return refuse(errKeyOffCurve, field{"x", a.X}, field{"y", a.Y})
	default:
		return transferable(f, issuer, a)
	}
}

// transferable: another organisation's credential must have ended, and the practitioner keeps the key.
func transferable(f *frame, issuer words.Word, a issueArgs) error {
	c := f.credential(a.Practitioner)
	if c.Status == credentialNone || c.Organisation == issuer {
		return nil
	}
	if c.Status != credentialRevoked && f.time < uint64(c.NotAfter) {
		return refuse(errCredentialHeld, field{"practitioner", a.Practitioner}, field{"organisation", c.Organisation})
	}
	if c.X != a.X || c.Y != a.Y {
		return refuse(errKeyOfAnother, field{"practitioner", a.Practitioner})
	}
	return nil
}

type revokeCredentialArgs struct {
	Practitioner words.Word  `json:"practitioner"`
	Signature    words.Bytes `json:"signature"`
}

// revokeCredential ends a credential of the caller's organisation at once; works while the contract is frozen.
func revokeCredential(f *frame, a revokeCredentialArgs) (none, error) {
	issuer, o, err := f.activeCaller(0)
	if err != nil {
		return none{}, err
	}
	c := f.credential(a.Practitioner)
	if c.Status != credentialActive {
		return none{}, refuse(errNoCredential, field{"practitioner", a.Practitioner})
	}
	if c.Organisation != issuer {
		return none{}, refuse(errCredentialHeld, field{"practitioner", a.Practitioner}, field{"organisation", c.Organisation})
	}
	if err := requireIssuer(f, kindCredentialRevoke, issuer, o, a.Practitioner, nil, a.Signature); err != nil {
		return none{}, err
	}
	c.Status = credentialRevoked
	save(f, credentialKey(a.Practitioner), c)
	f.emit(identity, eventCredentialRevoked, field{"practitioner", a.Practitioner}, field{"organisation", issuer})
	return none{}, nil
}

// requireIssuer: the organisation itself signed, not only whoever holds its ledger account: kind, domain, organisation,
// practitioner, terms, nonce.
func requireIssuer(f *frame, kind, issuer words.Word, o organisation, practitioner words.Word, terms []words.Word, signature words.Bytes) error {
	nonce := load[words.Uint64](f, credentialNonceKey(practitioner))
	save(f, credentialNonceKey(practitioner), nonce+1)
	signed := append([]words.Word{kind, f.domain(identity), issuer, practitioner}, terms...)
	signed = append(signed, words.FromUint64(uint64(nonce)))
	return requireSignature(o.X, o.Y, kind, message(signed...), signature)
}
