package ledger

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/statebased"

	"healthtrust/chaincode/internal/vectors"
	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

var evidenceCall = [][]byte{
	[]byte("Evidence.record"),
	[]byte(`{"kind":"0x` + strings.Repeat("01", 32) + `","digest":"0x` + strings.Repeat("02", 32) + `"}`),
}

// refusedAs makes a proposal of its own and expects this error.
func (w *world) refusedAs(name string, s *stubDouble) {
	w.t.Helper()
	_, refused := w.answered(s, string(s.args[0]))
	if refused == nil || refused.Name != name {
		w.t.Errorf("%v, not %s", refused, name)
	}
}

func TestTheClockOfTheClientIsNotBelieved(t *testing.T) {
	w := newWorld(t)
	for _, off := range []time.Duration{-61 * time.Second, 61 * time.Second, 24 * time.Hour} {
		w.refusedAs(errClockDisagrees, w.peer.proposal(w.first.account, w.now.Add(off), evidenceCall...))
	}
	s := w.peer.proposal(w.first.account, w.now.Add(-time.Minute), evidenceCall...)
	if _, refused := w.answered(s, "Evidence.record"); refused != nil {
		t.Error(refused)
	}
	old := w.peer.proposal(w.first.account, w.now.Add(-time.Hour), []byte("Alliance.name"), []byte("{}"))
	if _, refused := w.answered(old, "Alliance.name"); refused != nil {
		t.Errorf("reading depends on no time: %v", refused)
	}
}

func TestAnotherChaincodeCannotActForItsCaller(t *testing.T) {
	w := newWorld(t)
	s := w.peer.proposal(w.first.account, w.now, evidenceCall...)
	s.chaincode = "other"
	w.refusedAs(errForeignCall, s)
}

func TestSeveralAlliancesOnOneChannel(t *testing.T) {
	w := newWorld(t)
	other := unfounded(t)
	p := other.party("hospital-z", "ZMSP")
	args, err := words.EncodeJSON(object{"name": "other", "salt": words.Kind("other"), "first": other.init(p)})
	if err != nil {
		t.Fatal(err)
	}
	s := other.peer.proposal(p.account, other.now, []byte("Alliance.found"), args)
	s.chaincode = "second"
	if _, refused := other.answered(s, "Alliance.found"); refused != nil {
		t.Fatal(refused)
	}
	s = other.peer.proposal(p.account, other.now, []byte("Alliance.domain"), []byte("{}"))
	s.chaincode = "second"
	if answer, _ := other.answered(s, "Alliance.domain"); strings.Contains(string(answer), w.domain(alliance).Hex()) {
		t.Error("two alliances share a domain")
	}
}

func TestARenewedCertificateKeepsTheAccount(t *testing.T) {
	w := newWorld(t)
	renewed := certified(t, "AMSP", w.first.account.key)
	if s := w.peer.proposal(renewed, w.now, evidenceCall...); renewed.address != w.first.account.address {
		t.Error("another account")
	} else if _, refused := w.answered(s, "Evidence.record"); refused != nil {
		t.Error(refused)
	}
	w.refusedAs(errNotAMember, w.peer.proposal(certified(t, "BMSP", w.first.account.key), w.now, evidenceCall...))
}

func TestWhatIsNoCallIsRefused(t *testing.T) {
	w := newWorld(t)
	word := `"0x` + strings.Repeat("01", 32) + `"`
	for _, args := range [][]string{
		{"Evidence.record"},
		{"Evidence.record", "{}", "{}"},
		{"Evidence.erase", "{}"},
		{"evidence.record", "{}"},
		{"Evidence.record", `{"kind":` + word + `}`},
		{"Evidence.record", `{"kind":` + word + `,"digest":` + word + `,"more":1}`},
		{"Evidence.record", `{"kind":` + word + `,"Digest":` + word + `}`},
		{"Evidence.record", `{"kind":` + word + `,"kind":` + word + `,"digest":` + word + `}`},
		{"Evidence.record", `{"kind":` + strings.ToUpper(word) + `,"digest":` + word + `}`},
		{"Evidence.record", `{"kind":null,"digest":` + word + `}`},
		{"Evidence.record", `{"kind":"0x01","digest":` + word + `}`},
		{"Evidence.record", `{"kind":` + word + `,"digest":` + word + `}{}`},
		{"Alliance.vote", `{"proposal":1.0}`},
		{"Alliance.vote", `{"proposal":9007199254740993}`},
		{"Alliance.vote", `{"proposal":"01"}`},
		{"Alliance.vote", `{"proposal":-1}`},
		{"Workflow.allowed", `{"from":256,"to":0}`},
		{"Alliance.name", `[]`},
		{"Alliance.name", ``},
		{"Alliance.name", "{\"\xff\":1}"},
	} {
		raw := [][]byte{}
		for _, a := range args {
			raw = append(raw, []byte(a))
		}
		w.refusedAs(errInvalidArgument, w.peer.proposal(w.first.account, w.now, raw...))
	}
}

func TestAPeerThatFailsIsNoAnswer(t *testing.T) {
	w := newWorld(t)
	s := w.peer.proposal(w.first.account, w.now, evidenceCall...)
	s.failRead = errors.New("the peer is gone")
	w.refusedAs(errInternal, s)
	s = w.peer.proposal(&account{creator: []byte("no identity")}, w.now, evidenceCall...)
	w.refusedAs(errInternal, s)
	damaged := w.peer.proposal(w.first.account, w.now, evidenceCall...)
	w.peer.state[evidenceCountKey(w.first.id)] = []byte("{")
	w.refusedAs(errInternal, damaged)
}

// TestStrangersAndTheSuspended: every method that changes something asks first who calls, but for those that a signature alone
// carries.
func TestStrangersAndTheSuspended(t *testing.T) {
	w := newWorld(t)
	b := w.member("hospital-b", "BMSP", founderRoles, w.first)
	w.decide(actionSuspend, words.EncodeABI(b.id), w.first, b)
	bySignature := []string{
		"Consent.grant", "Consent.amend", "Consent.revoke", "Identity.rotateKey", "Identity.vetoRecovery", "Identity.recoverKey",
	}
	owedBySuspended := []string{"Access.record"}
	for name, m := range methods {
		if m.readOnly || m.name == foundMethod || m.contract == registry || slices.Contains(bySignature, name) {
			continue
		}
		args, err := words.EncodeJSON(reflect.Zero(m.args).Interface())
		if err != nil {
			t.Fatal(err)
		}
		w.refusedAs(errNotAMember, w.peer.proposal(newAccount(t, "AMSP"), w.now, []byte(name), args))
		suspended := errNotActive
		if m.contract == alliance {
			suspended = errWrongStatus
		}
		if name == "Alliance.join" {
			suspended = errNotAMember
		}
		if !slices.Contains(owedBySuspended, name) {
			w.refusedAs(suspended, w.peer.proposal(b.account, w.now, []byte(name), args))
		}
	}
}

// TestOwnRegistersNeedTheOwner: every key of a member's index, receipts and evidence can only be changed with its own peers.
func TestOwnRegistersNeedTheOwner(t *testing.T) {
	w := newWorld(t)
	b := w.member("hospital-b", "BMSP", 1, w.first)
	root := words.Kind("root")
	w.must(b, "DataIndex.anchorBatch", w.batch(root, words.Word{}, 0, 1))
	w.must(b, "DataIndex.anchorEntries", with(w.batch(root, root, 1, 1), "entries", entriesOf(b.id, 1, 1)))
	w.must(b, "Access.record", object{"root": root, "firstNumber": 0, "count": 1, "headHash": root})
	w.must(b, "Evidence.record", object{"kind": root, "digest": root})
	own := []string{
		indexHeadKey(b.id), batchKey(b.id, 0), batchKey(b.id, 1), entriesDigestKey(b.id, 1), receiptHeadKey(b.id),
		receiptBatchKey(b.id, 0), evidenceCountKey(b.id), evidenceKey(b.id, 0),
	}
	slices.Sort(own)
	if got := sorted(w.peer.rules); !slices.Equal(got, own) {
		t.Errorf("rules on %q", got)
	}
	for _, key := range own {
		rule, err := statebased.NewStateEP(w.peer.rules[key])
		if err != nil || !slices.Equal(rule.ListOrgs(), []string{"BMSP"}) {
			t.Errorf("%q: %v %v", key, rule.ListOrgs(), err)
		}
	}
	w.must(b, "Evidence.record", object{"kind": root, "digest": root})
	if _, again := w.last.rules[evidenceCountKey(b.id)]; again {
		t.Error("a rule that did not change was set again")
	}
}

// TestTheSameProposalEndorsesAlike: two peers that are asked the same write the same, byte for byte.
func TestTheSameProposalEndorsesAlike(t *testing.T) {
	w := newWorld(t)
	first := w.peer.proposal(w.first.account, w.now, evidenceCall...)
	second := w.peer.proposal(w.first.account, w.now, evidenceCall...)
	one, two := w.chaincode.Invoke(first), w.chaincode.Invoke(second)
	if string(one.GetPayload()) != string(two.GetPayload()) || string(first.events) != string(second.events) {
		t.Error("answers or events differ")
	}
	for key, value := range first.writes {
		if string(second.writes[key]) != string(value) {
			t.Errorf("%q differs", key)
		}
	}
}

func TestMessageVectors(t *testing.T) {
	type signed struct{ Bytes, Signature words.Bytes }
	var v struct {
		LedgerID     words.Word `json:"ledgerId"`
		Contract     words.Address
		Domain       words.Word
		Subject      words.Word
		PublicKey    words.Bytes
		Organisation words.Word
		Account      words.Address
		Arguments    words.Word
		Consent      words.Word
		Commitment   words.Word
		Old          words.Word
		Packed       words.Word
		Nonce        uint64
		Fabric       struct {
			Channel, Chaincode string
			Contract, Domain   words.Word
		}
		Signer               struct{ PublicKey words.Bytes }
		Messages             map[string]signed
		OrganisationMessages map[string]signed
	}
	vectors.Read(t, "messages", &v)
	if Domain(v.LedgerID, v.Contract.Word()) != v.Domain || Domain(v.LedgerID, v.Fabric.Contract) != v.Fabric.Domain {
		t.Error("domain")
	}
	if national.Hash([]byte(v.Fabric.Channel+"\x00"+v.Fabric.Chaincode)) != v.Fabric.Contract {
		t.Error("contract word")
	}
	x, y, nonce := words.Word(v.PublicKey[:32]), words.Word(v.PublicKey[32:]), words.FromUint64(v.Nonce)
	built := map[string][]byte{
		"key-bind":         message(kindKeyBind, v.Domain, v.Subject, x, y),
		"key-attest":       message(kindKeyAttest, v.Domain, v.Subject, x, y),
		"key-rotate":       message(kindKeyRotate, v.Domain, v.Subject, x, y, nonce),
		"consent-grant":    message(kindConsentGrant, v.Domain, v.Subject, v.Consent, v.Commitment, v.Packed),
		"consent-amend":    message(kindConsentAmend, v.Domain, v.Subject, v.Consent, v.Commitment, v.Packed, v.Old),
		"consent-revoke":   message(kindConsentRevoke, v.Domain, v.Subject, v.Consent, nonce),
		"organisation-key": message(kindOrganisationKey, v.Domain, v.Organisation, x, y, nonce),
		"alliance-leave":   message(kindAllianceLeave, v.Domain, v.Organisation, nonce),
		"ledger-account":   message(kindLedgerAccount, v.Domain, v.Organisation, v.Account.Word(), words.FromBool(true), nonce),
		"alliance-proposal": message(kindAllianceProposal, v.Domain, v.Organisation,
			words.FromUint64(actionRotateKey), v.Arguments, nonce),
		"alliance-vote": message(kindAllianceVote, v.Domain, v.Organisation,
			words.FromUint64(3), words.FromUint64(actionRotateKey), v.Arguments),
	}
	signerX, signerY := words.Word(v.Signer.PublicKey[:32]), words.Word(v.Signer.PublicKey[32:])
	for _, list := range []map[string]signed{v.Messages, v.OrganisationMessages} {
		for name, m := range list {
			r, s := rs(m.Signature)
			if valid, _ := signedBy(signerX, signerY, built[name], r, s); !valid || string(built[name]) != string(m.Bytes) {
				t.Errorf("%s", name)
			}
		}
	}
	if len(v.Messages)+len(v.OrganisationMessages) != len(built) {
		t.Errorf("%d and %d messages", len(v.Messages), len(v.OrganisationMessages))
	}
}

func TestVerifierViews(t *testing.T) {
	w := newWorld(t)
	e, data := words.Kind("e"), words.Bytes("abc")
	r, s := rs(w.first.sign(t, e))
	point := object{"x": w.first.x, "y": w.first.y}
	var z, digest, mac words.Word
	w.read(&z, "SM2Verifier.zOf", point)
	w.read(&digest, "SM2Verifier.hash", object{"data": data})
	w.read(&mac, "SM2Verifier.hmac", object{"key": e, "message": data})
	if digest != national.Hash([]byte("abc")) || mac != national.HMAC(e, []byte("abc")) {
		t.Error("hash or hmac")
	}
	var v verified
	args := object{"z": z, "message": words.Bytes(e[:]), "r": r, "s": s, "x": w.first.x, "y": w.first.y}
	if w.read(&v, "SM2Verifier.verifyMessage", args); !v.Valid || v.E != national.Hash(z[:], e[:]) {
		t.Errorf("%+v", v)
	}
	var valid, on, off bool
	w.read(&off, "SM2Verifier.isOnCurve", object{"x": w.first.y, "y": w.first.x})
	w.read(&valid, "SM2Verifier.verify", object{"e": e, "r": r, "s": s, "x": w.first.x, "y": w.first.y})
	w.read(&on, "SM2Verifier.isOnCurve", point)
	if valid || !on || off {
		t.Error("verify or isOnCurve")
	}
	var delay words.Uint64
	if w.read(&delay, "Identity.RECOVERY_DELAY", object{}); delay != recoveryDelay {
		t.Errorf("%d", delay)
	}
}
