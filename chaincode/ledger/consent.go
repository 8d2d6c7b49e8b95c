package ledger

import (
	"encoding/binary"

	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

// Status of a consent.
const (
	consentNone = iota
	consentActive
	consentAmended
	consentRevoked
)

// sealed is a consent. Link: the last value shown of the use chain, or the successor of an amended consent.
type sealed struct {
	Subject    words.Word   `json:"subject"`
	Commitment words.Word   `json:"commitment"`
	NotBefore  words.Uint64 `json:"notBefore"`
	NotAfter   words.Uint64 `json:"notAfter"`
	UseLimit   uint32       `json:"useLimit"`
	Uses       uint32       `json:"uses"`
	Nonce      words.Uint64 `json:"nonce"`
	Status     uint8        `json:"status"`
	Link       words.Word   `json:"link"`
}

func consentKey(id words.Word) string { return key(consent, "consent", id.Hex()) }

func consentNonceKey(subject words.Word) string { return key(consent, "nonce", subject.Hex()) }

type grantArgs struct {
	Subject    words.Word    `json:"subject"`
	Consent    words.Word    `json:"consent"`
	Commitment words.Word    `json:"commitment"`
	Packed     words.Uint256 `json:"packed"`
	R          words.Word    `json:"r"`
	S          words.Word    `json:"s"`
}

// grant creates a consent: r‖s is by the subject's current key.
func grant(f *frame, a grantArgs) (none, error) {
	signed := message(kindConsentGrant, f.domain(consent), a.Subject, a.Consent, a.Commitment, words.Word(a.Packed))
	digest, err := authorise(f, a.Subject, a.Packed, signed, a.R, a.S)
	if err != nil {
		return none{}, err
	}
	if err := store(f, a.Subject, a.Consent, a.Commitment, a.Packed); err != nil {
		return none{}, err
	}
	f.emit(consent, eventConsentGranted, field{"consent", a.Consent}, field{"subject", a.Subject},
		field{"commitment", a.Commitment}, field{"packed", a.Packed}, field{"messageHash", digest})
	return none{}, nil
}

type amendArgs struct {
	Subject    words.Word    `json:"subject"`
	OldConsent words.Word    `json:"oldConsent"`
	Consent    words.Word    `json:"consent"`
	Commitment words.Word    `json:"commitment"`
	Packed     words.Uint256 `json:"packed"`
	R          words.Word    `json:"r"`
	S          words.Word    `json:"s"`
}

// amend replaces an active consent by a new one; the old one points to its successor.
func amend(f *frame, a amendArgs) (none, error) {
	signed := message(kindConsentAmend, f.domain(consent), a.Subject, a.Consent, a.Commitment, words.Word(a.Packed), a.OldConsent)
	digest, err := authorise(f, a.Subject, a.Packed, signed, a.R, a.S)
	if err != nil {
		return none{}, err
	}
	old, err := f.activeConsent(a.OldConsent, a.Subject)
	if err != nil {
		return none{}, err
	}
	old.Status, old.Link = consentAmended, a.Consent
	save(f, consentKey(a.OldConsent), old)
	if err := store(f, a.Subject, a.Consent, a.Commitment, a.Packed); err != nil {
		return none{}, err
	}
	f.emit(consent, eventConsentAmended, field{"old", a.OldConsent}, field{"consent", a.Consent}, field{"subject", a.Subject},
		field{"commitment", a.Commitment}, field{"packed", a.Packed}, field{"messageHash", digest})
	return none{}, nil
}

type revokeArgs struct {
	Subject words.Word    `json:"subject"`
	Consent words.Word    `json:"consent"`
	Packed  words.Uint256 `json:"packed"`
	R       words.Word    `json:"r"`
	S       words.Word    `json:"s"`
}

// revoke ends an active consent; works while the contract is frozen.
func revoke(f *frame, a revokeArgs) (none, error) {
	if words.Uint256(words.FromUint64(a.Packed.Uint64At(24))) != a.Packed {
		return none{}, refuse(errReservedBits, field{"packed", a.Packed})
	}
	signed := message(kindConsentRevoke, f.domain(consent), a.Subject, a.Consent, words.Word(a.Packed))
	digest, err := authorise(f, a.Subject, a.Packed, signed, a.R, a.S)
	if err != nil {
		return none{}, err
	}
	c, err := f.activeConsent(a.Consent, a.Subject)
	if err != nil {
		return none{}, err
	}
	c.Status = consentRevoked
	save(f, consentKey(a.Consent), c)
	f.emit(consent, eventConsentRevoked, field{"consent", a.Consent}, field{"subject", a.Subject}, field{"packed", a.Packed},
		field{"messageHash", digest})
	return none{}, nil
}

type spendArgs struct {
	Consent  words.Word `json:"consent"`
	Preimage words.Word `json:"preimage"`
}

// spend counts the next use of a consent by showing the next value of its chain.
func spend(f *frame, a spendArgs) (none, error) {
	by, _, err := f.activeCaller(0)
	if err != nil {
		return none{}, err
	}
	c := load[sealed](f, consentKey(a.Consent))
	if err := spendable(f, a, c); err != nil {
		return none{}, err
	}
	c.Uses++
	c.Link = a.Preimage
	save(f, consentKey(a.Consent), c)
	f.emit(consent, eventConsentSpent, field{"consent", a.Consent}, field{"uses", c.Uses}, field{"by", by})
	return none{}, nil
}

func spendable(f *frame, a spendArgs, c sealed) error {
	named := field{"consent", a.Consent}
	shown := c.Link
	if c.Uses == 0 {
		shown = a.Consent
	}
	switch {
	case c.Status != consentActive:
		return refuse(errConsentNotActive, named, field{"status", c.Status})
	case f.time < uint64(c.NotBefore) || f.time >= uint64(c.NotAfter):
		return refuse(errOutsidePeriod, named, field{"time", words.Uint64(f.time)})
	case c.Uses >= c.UseLimit:
		return refuse(errUsesExhausted, named, field{"useLimit", c.UseLimit})
	case national.Hash(a.Preimage[:]) != shown:
		return refuse(errWrongPreimage, named)
	default:
		return nil
	}
}

func store(f *frame, subject, id, commitment words.Word, packed words.Uint256) error {
	if id.IsZero() || commitment.IsZero() {
		return refuse(errZeroValue)
	}
	if load[sealed](f, consentKey(id)).Status != consentNone {
		return refuse(errConsentExists, field{"consent", id})
	}
	if packed.Uint32At(20) != 0 {
		return refuse(errReservedBits, field{"packed", packed})
	}
	notBefore, notAfter := packed.Uint64At(0), packed.Uint64At(8)
	if notBefore >= notAfter || notAfter <= f.time {
		return badPeriod(notBefore, notAfter)
	}
	save(f, consentKey(id), sealed{
		Subject: subject, Commitment: commitment, NotBefore: words.Uint64(notBefore), NotAfter: words.Uint64(notAfter),
		UseLimit: packed.Uint32At(16), Nonce: words.Uint64(packed.Uint64At(24)), Status: consentActive,
	})
	return nil
}

// authorise is the one place where a subject's will is established: nonce, then signature of the current key.
func authorise(f *frame, subject words.Word, packed words.Uint256, signed []byte, r, s words.Word) (digest words.Word, err error) {
	nonce := load[words.Uint64](f, consentNonceKey(subject))
	if given := words.Uint64(packed.Uint64At(24)); given != nonce {
		return digest, refuse(errWrongNonce, field{"given", given}, field{"expected", nonce})
	}
	save(f, consentNonceKey(subject), nonce+1)
	k := f.subjectKey(subject)
	if k.Version == 0 {
		return digest, refuse(errNoKey, field{"subject", subject})
	}
	valid, digest := signedBy(k.X, k.Y, signed, r, s)
	if !valid {
		return digest, refuse(errBadSignature, field{"messageHash", digest})
	}
	return digest, nil
}

func (f *frame) activeConsent(id, subject words.Word) (sealed, error) {
	c := load[sealed](f, consentKey(id))
	if c.Status != consentActive {
		return c, refuse(errConsentNotActive, field{"consent", id}, field{"status", c.Status})
	}
	if c.Subject != subject {
		return c, refuse(errWrongSubject, field{"consent", id}, field{"subject", subject})
	}
	return c, nil
}

func badPeriod(notBefore, notAfter uint64) error {
	return refuse(errBadPeriod, field{"notBefore", words.Uint64(notBefore)}, field{"notAfter", words.Uint64(notAfter)})
}

// packedOf is the packed word as the subject signed it.
func (c sealed) packedOf() (packed words.Uint256) {
	binary.BigEndian.PutUint64(packed[0:], uint64(c.NotBefore))
	binary.BigEndian.PutUint64(packed[8:], uint64(c.NotAfter))
	binary.BigEndian.PutUint32(packed[16:], c.UseLimit)
	binary.BigEndian.PutUint64(packed[24:], uint64(c.Nonce))
	return packed
}
