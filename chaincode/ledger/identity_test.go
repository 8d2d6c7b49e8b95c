package ledger

import (
	"testing"
	"time"

	"healthtrust/chaincode/decision"
	"healthtrust/chaincode/words"
)

func (w *world) rotation(old, fresh *party, nonce uint64) object {
	d := w.domain(identity)
	return object{
		"subject": old.id, "x": fresh.x, "y": fresh.y,
		"signature":  old.sign(w.t, kindKeyRotate, d, old.id, fresh.x, fresh.y, words.FromUint64(nonce)),
		"possession": fresh.sign(w.t, kindKeyBind, d, old.id, fresh.x, fresh.y),
	}
}

func (w *world) recovering(subject, fresh, registrar *party, nonce uint64) object {
	d := w.domain(identity)
	return object{
		"subject": subject.id, "x": fresh.x, "y": fresh.y, "possession": fresh.sign(w.t, kindKeyBind, d, subject.id, fresh.x, fresh.y),
		"registrar":   registrar.id,
		"attestation": registrar.sign(w.t, kindKeyRecover, d, subject.id, fresh.x, fresh.y, words.FromUint64(nonce)),
	}
}

func with(args object, name string, value any) object {
	changed := object{name: value}
	for k, v := range args {
		if k != name {
			changed[k] = v
		}
	}
	return changed
}

func TestBinding(t *testing.T) {
	w := newWorld(t)
	b := w.member("hospital-b", "BMSP", 1, w.first)
	p := w.party("resident", "AMSP")
	args := w.binding(p, w.first)
	w.refuses(errNotAMember, p, "Identity.bindKey", args)
	w.refuses(errZeroValue, w.first, "Identity.bindKey", with(args, "subject", words.Word{}))
	w.refuses(errKeyOffCurve, w.first, "Identity.bindKey", with(args, "x", words.Kind("x")))
	w.refuses(errBadSignatureLength, w.first, "Identity.bindKey", with(args, "possession", words.Bytes{1}))
	w.refuses(errBadSignature, w.first, "Identity.bindKey", with(args, "possession", args["attestation"]))
	w.refuses(errBadSignature, w.first, "Identity.bindKey", with(args, "attestation", args["possession"]))
	w.refuses(errNotRegistrar, w.first, "Identity.bindKey", w.binding(p, b))
	w.must(b, "Identity.bindKey", args)
	w.refuses(errKeyExists, w.first, "Identity.bindKey", args)
	var k subjectKeyView
	w.read(&k, "Identity.keyOf", object{"subject": p.id})
	if k.X != p.x || k.Y != p.y || k.Status != 1 || k.Version != 1 || k.Z.IsZero() {
		t.Errorf("%+v", k)
	}
}

func TestRotation(t *testing.T) {
	w := newWorld(t)
	p, fresh := w.resident("resident"), w.party("fresh", "AMSP")
	w.refuses(errSameKey, w.first, "Identity.rotateKey", w.rotation(p, p, 0))
	w.refuses(errBadSignature, w.first, "Identity.rotateKey", w.rotation(p, fresh, 1))
	w.refuses(errNoKey, w.first, "Identity.rotateKey", with(w.rotation(p, fresh, 0), "subject", words.Kind("nobody")))
	w.must(w.first, "Identity.requestRecovery", w.recovering(p, w.party("thief", "AMSP"), w.first, 0))
	w.must(w.first, "Identity.rotateKey", w.rotation(p, fresh, 1))
	if got := w.events(); len(got) != 2 || got[0] != "Identity.RecoveryVetoed" || got[1] != "Identity.KeyRotated" {
		t.Errorf("events %v", got)
	}
	var nonce words.Uint64
	if w.read(&nonce, "Identity.nonceOf", object{"subject": p.id}); nonce != 2 {
		t.Errorf("nonce %d", nonce)
	}
}

func TestRecovery(t *testing.T) {
	w := newWorld(t)
	p, fresh := w.resident("resident"), w.party("fresh", "AMSP")
	args := w.recovering(p, fresh, w.first, 0)
	w.refuses(errNoKey, w.first, "Identity.requestRecovery", with(args, "subject", words.Kind("nobody")))
	w.refuses(errSameKey, w.first, "Identity.requestRecovery", w.recovering(p, p, w.first, 0))
	w.refuses(errNoRecovery, w.first, "Identity.recoverKey", object{"subject": p.id})
	w.must(w.first, "Identity.requestRecovery", args)
	w.refuses(errRecoveryPending, w.first, "Identity.requestRecovery", args)
	w.refuses(errTooEarly, w.first, "Identity.recoverKey", object{"subject": p.id})
	var pending recovery
	w.read(&pending, "Identity.recoveryOf", object{"subject": p.id})
	if pending.X != fresh.x || uint64(pending.ExecutableAt) != uint64(w.now.Unix())+recoveryDelay {
		t.Errorf("%+v", pending)
	}
	w.pass(recoveryDelay * time.Second)
	w.must(fresh, "Identity.recoverKey", object{"subject": p.id})
	var k subjectKeyView
	if w.read(&k, "Identity.keyOf", object{"subject": p.id}); k.X != fresh.x || k.Version != 2 {
		t.Errorf("%+v", k)
	}
}

func TestVeto(t *testing.T) {
	w := newWorld(t)
	p, thief := w.resident("resident"), w.party("thief", "AMSP")
	w.refuses(errNoRecovery, w.first, "Identity.vetoRecovery", object{"subject": p.id, "signature": words.Bytes{}})
	w.must(w.first, "Identity.requestRecovery", w.recovering(p, thief, w.first, 0))
	signature := p.sign(t, kindKeyVeto, w.domain(identity), p.id, thief.x, thief.y, words.FromUint64(1))
	w.freeze(identity)
	w.refuses(errBadSignature, w.first, "Identity.vetoRecovery", object{"subject": p.id, "signature": append(words.Bytes{1}, signature[1:]...)})
	w.must(thief, "Identity.vetoRecovery", object{"subject": p.id, "signature": signature})
	var nonce words.Uint64
	if w.read(&nonce, "Identity.nonceOf", object{"subject": p.id}); nonce != 2 {
		t.Errorf("nonce %d: a veto serves once", nonce)
	}
	w.refuses(errContractFrozen, w.first, "Identity.recoverKey", object{"subject": p.id})
}

func (w *world) issue(issuer, practitioner *party, nonce uint64) object {
	from, until := uint64(w.now.Unix()), uint64(w.now.Add(100*dayLength).Unix())
	signature := issuer.sign(w.t, kindCredentialIssue, w.domain(identity), issuer.id, practitioner.id, practitioner.x, practitioner.y,
		words.FromUint64(1), words.FromUint64(from), words.FromUint64(until), words.FromUint64(nonce))
	return object{
		"practitioner": practitioner.id, "x": practitioner.x, "y": practitioner.y, "roles": 1, "notBefore": from, "notAfter": until,
		"signature": signature,
	}
}

func (w *world) revocation(issuer, practitioner *party, nonce uint64) object {
	signature := issuer.sign(w.t, kindCredentialRevoke, w.domain(identity), issuer.id, practitioner.id, words.FromUint64(nonce))
	return object{"practitioner": practitioner.id, "signature": signature}
}

func TestCredentials(t *testing.T) {
	w := newWorld(t)
	b, doctor := w.member("hospital-b", "BMSP", 1, w.first), w.party("doctor", "AMSP")
	args := w.issue(w.first, doctor, 0)
	w.refuses(errZeroValue, w.first, "Identity.issueCredential", with(args, "practitioner", words.Word{}))
	w.refuses(errUnknownRoles, w.first, "Identity.issueCredential", with(args, "roles", 0))
	w.refuses(errUnknownRoles, w.first, "Identity.issueCredential", with(args, "roles", 256))
	w.refuses(errBadPeriod, w.first, "Identity.issueCredential", with(args, "notAfter", args["notBefore"]))
	w.refuses(errKeyOffCurve, w.first, "Identity.issueCredential", with(args, "x", doctor.y))
	w.refuses(errBadSignature, w.first, "Identity.issueCredential", with(args, "roles", 2))
	w.refuses(errBadSignature, b, "Identity.issueCredential", args)
	w.must(w.first, "Identity.issueCredential", args)
	w.refuses(errBadSignature, w.first, "Identity.issueCredential", args)
	w.refuses(errCredentialHeld, b, "Identity.issueCredential", w.issue(b, doctor, 1))
	w.refuses(errCredentialHeld, b, "Identity.revokeCredential", w.revocation(b, doctor, 1))
	w.refuses(errNoCredential, b, "Identity.revokeCredential", w.revocation(b, b, 0))
	w.must(w.first, "Identity.revokeCredential", w.revocation(w.first, doctor, 1))
	w.refuses(errNoCredential, w.first, "Identity.revokeCredential", w.revocation(w.first, doctor, 2))

	impostor := w.party("doctor", "BMSP")
	w.refuses(errKeyOfAnother, b, "Identity.issueCredential", w.issue(b, impostor, 2))
	w.must(b, "Identity.issueCredential", w.issue(b, doctor, 2))
	var c credential
	w.read(&c, "Identity.credentialOf", object{"practitioner": doctor.id})
	if c.Organisation != b.id || c.Status != credentialActive || c.X != doctor.x {
		t.Errorf("%+v", c)
	}
	var state decision.CredentialState
	w.read(&state, "Identity.credentialState", object{"practitioner": doctor.id})
	if state != c.state() {
		t.Errorf("%+v", state)
	}
	var nonce words.Uint64
	if w.read(&nonce, "Identity.credentialNonceOf", object{"practitioner": doctor.id}); nonce != 3 {
		t.Errorf("nonce %d", nonce)
	}
}
