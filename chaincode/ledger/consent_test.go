package ledger

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"healthtrust/chaincode/decision"
	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

// given is a consent of a resident over a scope that grants one practitioner everything.
type given struct {
	id         words.Word
	commitment words.Word
	packed     words.Uint256
	opened     opened
}

func (w *world) scope(subject, grantee *party, from, until uint64, uses uint32) words.Bytes {
	var head, period words.Word
	head[0], head[1], head[7], head[14] = 1, 1, 1, 7
	binary.BigEndian.PutUint64(period[0:], from)
	binary.BigEndian.PutUint64(period[8:], until)
	binary.BigEndian.PutUint32(period[16:], uses)
	categories := words.Word{31: 0xff, 30: 0xff}
	return message(words.Kind("healthtrust/scope/v1"), subject.id, head, grantee.id, words.Word{}, period, categories)
}

func (w *world) given(subject, grantee *party, seed string, uses uint32, nonce uint64) given {
	from, until := uint64(w.now.Unix()), uint64(w.now.Add(30*dayLength).Unix())
	id := words.Kind(seed)
	for range max(uses, 1) {
		id = national.Hash(id[:])
	}
	o := opened{w.scope(subject, grantee, from, until, uses), words.Kind("salt of " + seed)}
	return given{id, national.HMAC(o.Salt, o.ScopeWords), packed(from, until, uint64(uses), nonce), o}
}

func (w *world) granting(subject *party, c given) object {
	signed := []words.Word{kindConsentGrant, w.domain(consent), subject.id, c.id, c.commitment, words.Word(c.packed)}
	r, s := rs(subject.sign(w.t, signed...))
	return object{"subject": subject.id, "consent": c.id, "commitment": c.commitment, "packed": c.packed, "r": r, "s": s}
}

func (w *world) amending(subject *party, old words.Word, c given) object {
	signed := []words.Word{kindConsentAmend, w.domain(consent), subject.id, c.id, c.commitment, words.Word(c.packed), old}
	r, s := rs(subject.sign(w.t, signed...))
	return object{
		"subject": subject.id, "oldConsent": old, "consent": c.id, "commitment": c.commitment, "packed": c.packed, "r": r, "s": s,
	}
}

func (w *world) revoking(subject *party, id words.Word, nonce uint64) object {
	p := packed(0, 0, 0, nonce)
	r, s := rs(subject.sign(w.t, kindConsentRevoke, w.domain(consent), subject.id, id, words.Word(p)))
	return object{"subject": subject.id, "consent": id, "packed": p, "r": r, "s": s}
}

// asked is a request that the scope of given answers.
func (w *world) asked(subject, practitioner *party) decision.Request {
	return decision.Request{
		Subject: subject.id, Requester: practitioner.id, RequesterOrganisation: w.first.id, Category: 3, Custodian: w.first.id,
		Record: words.Kind("record"), Schema: words.Kind("schema"), Fields: words.Uint256{31: 5},
	}
}

func (w *world) consenting() (resident, doctor *party, c given) {
	resident, doctor = w.resident("resident"), w.party("doctor", "AMSP")
	w.must(w.first, "Identity.issueCredential", w.issue(w.first, doctor, 0))
	c = w.given(resident, doctor, "seed", 2, 0)
	w.must(w.first, "Consent.grant", w.granting(resident, c))
	return resident, doctor, c
}

func TestGrantAmendRevoke(t *testing.T) {
	w := newWorld(t)
	resident, doctor, c := w.consenting()
	var v consentView
	w.read(&v, "Consent.consentOf", object{"consent": c.id})
	if v.Subject != resident.id || v.Packed != c.packed || v.Status != consentActive || v.Commitment != c.commitment {
		t.Errorf("%+v", v)
	}
	next := w.given(resident, doctor, "second", 0, 1)
	stranger := w.party("stranger", "ZMSP")
	w.must(stranger, "Consent.amend", w.amending(resident, c.id, next))
	if w.read(&v, "Consent.consentOf", object{"consent": c.id}); v.Status != consentAmended || v.Successor != next.id {
		t.Errorf("%+v", v)
	}
	w.freeze(consent)
	w.refuses(errContractFrozen, w.first, "Consent.grant", w.granting(resident, w.given(resident, doctor, "third", 0, 2)))
	w.must(stranger, "Consent.revoke", w.revoking(resident, next.id, 2))
	var nonce words.Uint64
	if w.read(&nonce, "Consent.nonceOf", object{"subject": resident.id}); nonce != 3 {
		t.Errorf("nonce %d", nonce)
	}
}

func TestGrantsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	resident, doctor, c := w.consenting()
	fresh := w.given(resident, doctor, "fresh", 0, 1)
	now := uint64(w.now.Unix())
	changed := func(edit func(*given)) object {
		other := fresh
		edit(&other)
		return w.granting(resident, other)
	}
	nobody := w.party("nobody", "AMSP")
	for name, args := range map[string]object{
		errWrongNonce:    changed(func(g *given) { g.packed = packed(now, now+1, 0, 0) }),
		errNoKey:         w.granting(nobody, w.given(nobody, doctor, "nokey", 0, 0)),
		errBadSignature:  with(w.granting(resident, fresh), "commitment", c.commitment),
		errZeroValue:     changed(func(g *given) { g.id = words.Word{} }),
		errConsentExists: changed(func(g *given) { g.id = c.id }),
		errReservedBits:  changed(func(g *given) { g.packed[20] = 1 }),
		errBadPeriod:     changed(func(g *given) { g.packed = packed(now-2, now, 0, 1) }),
	} {
		w.refuses(name, w.first, "Consent.grant", args)
	}
	w.refuses(errConsentNotActive, w.first, "Consent.amend", w.amending(resident, fresh.id, fresh))
	other := w.resident("other")
	w.refuses(errWrongSubject, w.first, "Consent.revoke", w.revoking(other, c.id, 0))
	w.refuses(errReservedBits, w.first, "Consent.revoke", with(w.revoking(resident, c.id, 1), "packed", packed(0, 1, 0, 1)))
	w.refuses(errWrongNonce, w.first, "Consent.revoke", w.revoking(resident, c.id, 0))
}

func TestSpending(t *testing.T) {
	w := newWorld(t)
	resident, doctor, c := w.consenting()
	seed := words.Kind("seed")
	first, second := national.Hash(seed[:]), seed
	spend := func(preimage words.Word) object { return object{"consent": c.id, "preimage": preimage} }
	w.refuses(errNotAMember, doctor, "Consent.spend", spend(first))
	w.refuses(errWrongPreimage, w.first, "Consent.spend", spend(second))
	w.must(w.first, "Consent.spend", spend(first))
	w.refuses(errWrongPreimage, w.first, "Consent.spend", spend(first))
	w.must(w.first, "Consent.spend", spend(second))
	w.refuses(errUsesExhausted, w.first, "Consent.spend", spend(second))
	w.pass(31 * dayLength)
	w.refuses(errOutsidePeriod, w.first, "Consent.spend", spend(second))
	w.must(w.first, "Consent.revoke", w.revoking(resident, c.id, 1))
	w.refuses(errConsentNotActive, w.first, "Consent.spend", spend(second))
}

func TestDecide(t *testing.T) {
	w := newWorld(t)
	resident, doctor, c := w.consenting()
	args := object{"request": w.asked(resident, doctor), "consent": c.id, "time": uint64(w.now.Unix())}
	var a decision.Answer
	w.read(&a, "Consent.decide", args, c.opened)
	if a != (decision.Answer{Outcome: decision.Permit, Reason: decision.OK, Fields: words.Uint256{31: 5}}) {
		t.Errorf("%+v", a)
	}
	asks := []ask{{w.asked(resident, doctor), c.id}, {w.asked(resident, doctor), words.Kind("none")}}
	many := object{"asks": asks, "time": uint64(w.now.Unix())}
	var answers []decision.Answer
	w.read(&answers, "Consent.decideMany", many, []opened{c.opened, c.opened})
	if len(answers) != 2 || answers[0] != a || answers[1].Reason != decision.NoConsentFound {
		t.Errorf("%+v", answers)
	}
	w.refuses(errInvalidArgument, w.first, "Consent.decide", args)
	w.refuses(errInvalidArgument, w.first, "Consent.decide", args, []opened{c.opened})
	w.refuses(errInvalidArgument, w.first, "Consent.decideMany", many, []opened{c.opened})
	w.refuses(errInvalidArgument, w.first, "Consent.decideMany", many, []opened{c.opened, c.opened, c.opened})
	w.refuses(errInvalidArgument, w.first, "Consent.decide", with(args, "scopeWords", c.opened.ScopeWords), c.opened)
	w.freeze(consent)
	w.refuses(errContractFrozen, w.first, "Consent.decide", args, c.opened)
	w.refuses(errContractFrozen, w.first, "Consent.statesOf", object{"queries": []query{}})
}

// TestDecidingLeavesNothing: no write, no event, and the opened scope in nothing that a transaction would carry.
func TestDecidingLeavesNothing(t *testing.T) {
	w := newWorld(t)
	resident, doctor, c := w.consenting()
	w.must(w.first, "Consent.decide", object{"request": w.asked(resident, doctor), "consent": c.id, "time": 1}, c.opened)
	if len(w.last.writes)+len(w.last.rules)+len(w.last.events) > 0 {
		t.Errorf("a decision left %v %v %s", w.last.writes, w.last.rules, w.last.events)
	}
	secret, _ := c.opened.ScopeWords.MarshalText()
	if said := fmt.Sprintf("%s", w.last.args); strings.Contains(said, string(secret[2:100])) {
		t.Error("the scope travelled in the arguments")
	}
}

func TestStates(t *testing.T) {
	w := newWorld(t)
	_, doctor, c := w.consenting()
	var states []decision.State
	w.read(&states, "Consent.statesOf", object{"queries": []query{
		{c.id, doctor.id, w.first.id, words.Kind("nobody")}, {words.Kind("none"), doctor.id, w.first.id, w.first.id},
	}})
	if w.last.trips > 3 {
		t.Errorf("%d round trips to the peer", w.last.trips)
	}
	s := states[0]
	if s.Consent.Commitment != c.commitment || s.Consent.UseLimit != 2 || s.RequesterOrganisation != statusActive || s.Custodian != 0 {
		t.Errorf("%+v", s)
	}
	if s.Credential.Organisation != w.first.id || s.Credential.Status != credentialActive {
		t.Errorf("%+v", s.Credential)
	}
}
