package ledger

import (
	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

const recoveryDelay = 7 * 24 * 60 * 60

type subjectKey struct {
	X       words.Word   `json:"x"`
	Y       words.Word   `json:"y"`
	Version uint32       `json:"version"` // 0: no key
	Nonce   words.Uint64 `json:"nonce"`
}

type recovery struct {
	X            words.Word   `json:"x"`
	Y            words.Word   `json:"y"`
	Registrar    words.Word   `json:"registrar"`
	ExecutableAt words.Uint64 `json:"executableAt"`
}

func subjectKeyKey(subject words.Word) string { return key(identity, "key", subject.Hex()) }

func recoveryKey(subject words.Word) string { return key(identity, "recovery", subject.Hex()) }

func (f *frame) subjectKey(subject words.Word) subjectKey {
	return load[subjectKey](f, subjectKeyKey(subject))
}

func (f *frame) recovery(subject words.Word) recovery {
	return load[recovery](f, recoveryKey(subject))
}

// attestedArgs is a new key with the signatures of its holder and of a registrar.
type attestedArgs struct {
	Subject     words.Word  `json:"subject"`
	X           words.Word  `json:"x"`
	Y           words.Word  `json:"y"`
	Possession  words.Bytes `json:"possession"`
	Registrar   words.Word  `json:"registrar"`
	Attestation words.Bytes `json:"attestation"`
}

// bindKey binds a subject's first key.
func bindKey(f *frame, a attestedArgs) (none, error) {
	if _, _, err := f.activeCaller(0); err != nil {
		return none{}, err
	}
	if a.Subject.IsZero() {
		return none{}, refuse(errZeroValue)
	}
	if f.subjectKey(a.Subject).Version != 0 {
		return none{}, refuse(errKeyExists, field{"subject", a.Subject})
	}
	if err := requirePossession(f, a.Subject, a.X, a.Y, a.Possession); err != nil {
		return none{}, err
	}
	signed := message(kindKeyAttest, f.domain(identity), a.Subject, a.X, a.Y)
	if err := requireAttestation(f, a.Registrar, kindKeyAttest, signed, a.Attestation); err != nil {
		return none{}, err
	}
	version := f.setSubjectKey(a.Subject, a.X, a.Y)
	f.emit(identity, eventKeyBound, field{"subject", a.Subject}, field{"x", a.X}, field{"y", a.Y},
		field{"registrar", a.Registrar}, field{"version", version})
	return none{}, nil
}

type rotateSubjectKeyArgs struct {
	Subject    words.Word  `json:"subject"`
	X          words.Word  `json:"x"`
	Y          words.Word  `json:"y"`
	Signature  words.Bytes `json:"signature"`
	Possession words.Bytes `json:"possession"`
}

// rotateSubjectKey replaces the key, signed by the old one; ends a pending recovery.
func rotateSubjectKey(f *frame, a rotateSubjectKeyArgs) (none, error) {
	k, err := f.requireKey(a.Subject)
	if err != nil {
		return none{}, err
	}
	if k.X == a.X && k.Y == a.Y {
		return none{}, refuse(errSameKey, field{"subject", a.Subject})
	}
	signed := message(kindKeyRotate, f.domain(identity), a.Subject, a.X, a.Y, words.FromUint64(uint64(k.Nonce)))
	if err := requireSignature(k.X, k.Y, kindKeyRotate, signed, a.Signature); err != nil {
		return none{}, err
	}
	if err := requirePossession(f, a.Subject, a.X, a.Y, a.Possession); err != nil {
		return none{}, err
	}
	f.countSubject(a.Subject)
	if f.recovery(a.Subject).ExecutableAt != 0 {
		f.dropRecovery(a.Subject)
	}
	version := f.setSubjectKey(a.Subject, a.X, a.Y)
	f.emit(identity, eventKeyRotated, field{"subject", a.Subject}, field{"x", a.X}, field{"y", a.Y}, field{"version", version})
	return none{}, nil
}

// requestRecovery starts the recovery of a lost key; executable after recoveryDelay.
func requestRecovery(f *frame, a attestedArgs) (none, error) {
	if _, _, err := f.activeCaller(0); err != nil {
		return none{}, err
	}
	k, err := f.requireKey(a.Subject)
	if err != nil {
		return none{}, err
	}
	if f.recovery(a.Subject).ExecutableAt != 0 {
		return none{}, refuse(errRecoveryPending, field{"subject", a.Subject})
	}
	if k.X == a.X && k.Y == a.Y {
		return none{}, refuse(errSameKey, field{"subject", a.Subject})
	}
	if err := requirePossession(f, a.Subject, a.X, a.Y, a.Possession); err != nil {
		return none{}, err
	}
	signed := message(kindKeyRecover, f.domain(identity), a.Subject, a.X, a.Y, words.FromUint64(uint64(k.Nonce)))
	if err := requireAttestation(f, a.Registrar, kindKeyRecover, signed, a.Attestation); err != nil {
		return none{}, err
	}
	f.countSubject(a.Subject)
	executableAt := words.Uint64(f.time + recoveryDelay)
	save(f, recoveryKey(a.Subject), recovery{a.X, a.Y, a.Registrar, executableAt})
	f.emit(identity, eventRecoveryRequested, field{"subject", a.Subject}, field{"x", a.X}, field{"y", a.Y},
		field{"registrar", a.Registrar}, field{"executableAt", executableAt})
	return none{}, nil
}

type vetoArgs struct {
	Subject   words.Word  `json:"subject"`
	Signature words.Bytes `json:"signature"`
}

// vetoRecovery stops a pending recovery, signed by the current key; works while the contract is frozen.
func vetoRecovery(f *frame, a vetoArgs) (none, error) {
	pending := f.recovery(a.Subject)
	if pending.ExecutableAt == 0 {
		return none{}, refuse(errNoRecovery, field{"subject", a.Subject})
	}
	k := f.subjectKey(a.Subject)
	nonce := words.FromUint64(uint64(k.Nonce))
	signed := message(kindKeyVeto, f.domain(identity), a.Subject, pending.X, pending.Y, nonce)
	if err := requireSignature(k.X, k.Y, kindKeyVeto, signed, a.Signature); err != nil {
		return none{}, err
	}
	f.countSubject(a.Subject)
	f.dropRecovery(a.Subject)
	return none{}, nil
}

// recoverKey executes a recovery whose delay has passed without a veto.
func recoverKey(f *frame, a subjectArgs) (none, error) {
	pending := f.recovery(a.Subject)
	if pending.ExecutableAt == 0 {
		return none{}, refuse(errNoRecovery, field{"subject", a.Subject})
	}
	if f.time < uint64(pending.ExecutableAt) {
		return none{}, refuse(errTooEarly, field{"executableAt", pending.ExecutableAt})
	}
	save(f, recoveryKey(a.Subject), recovery{})
	version := f.setSubjectKey(a.Subject, pending.X, pending.Y)
	f.emit(identity, eventKeyRecovered, field{"subject", a.Subject}, field{"x", pending.X}, field{"y", pending.Y},
		field{"version", version})
	return none{}, nil
}

func (f *frame) requireKey(subject words.Word) (subjectKey, error) {
	k := f.subjectKey(subject)
	if k.Version == 0 {
		return k, refuse(errNoKey, field{"subject", subject})
	}
	return k, nil
}

func (f *frame) setSubjectKey(subject, x, y words.Word) (version uint32) {
	k := f.subjectKey(subject)
	k.X, k.Y = x, y
	k.Version++
	save(f, subjectKeyKey(subject), k)
	return k.Version
}

func (f *frame) countSubject(subject words.Word) {
	k := f.subjectKey(subject)
	k.Nonce++
	save(f, subjectKeyKey(subject), k)
}

func (f *frame) dropRecovery(subject words.Word) {
	pending := f.recovery(subject)
	save(f, recoveryKey(subject), recovery{})
	f.emit(identity, eventRecoveryVetoed, field{"subject", subject}, field{"x", pending.X}, field{"y", pending.Y})
}

func requirePossession(f *frame, subject, x, y words.Word, signature words.Bytes) error {
	if !national.OnCurve(x, y) {
		return refuse(errKeyOffCurve, field{"x", x}, field{"y", y})
	}
	return requireSignature(x, y, kindKeyBind, message(kindKeyBind, f.domain(identity), subject, x, y), signature)
}

func requireAttestation(f *frame, registrar, kind words.Word, signed []byte, signature words.Bytes) error {
	o := f.member(registrar)
	if o.Status != statusActive || o.Roles&roleRegistrar == 0 {
		return refuse(errNotRegistrar, field{"organisation", registrar})
	}
	return requireSignature(o.X, o.Y, kind, signed, signature)
}

func requireSignature(x, y, kind words.Word, signed []byte, signature words.Bytes) error {
	r, s, err := split(signature)
	if err != nil {
		return err
	}
	if valid, _ := signedBy(x, y, signed, r, s); !valid {
		return refuse(errBadSignature, field{"kind", kind})
	}
	return nil
}

// split takes r‖s apart.
func split(signature words.Bytes) (r, s words.Word, err error) {
	if len(signature) != 64 {
		return r, s, refuse(errBadSignatureLength, field{"length", words.Uint64(len(signature))})
	}
	return words.Word(signature[:32]), words.Word(signature[32:]), nil
}
