package ledger

import (
	"reflect"
	"testing"
	"time"

	"healthtrust/chaincode/words"
)

func TestFounding(t *testing.T) {
	w := newWorld(t)
	if got := ledgerID("测试联盟", words.Kind("salt")); got != w.ledgerID {
		t.Errorf("ledger id %x, not %x", w.ledgerID, got)
	}
	var all []registered
	w.read(&all, "Registry.all", object{})
	for i, e := range all {
		if e.Name != words.Kind(contracts[i]) || e.Target != w.address(contracts[i]) || e.Version != 1 || e.Frozen {
			t.Errorf("duty %d: %+v", i, e)
		}
	}
	if len(all) != len(contracts) {
		t.Errorf("%d duties", len(all))
	}
	w.refuses(errAlreadyFounded, w.first, "Alliance.found", object{"name": "x", "salt": words.Word{}, "first": w.init(w.first)})
}

func TestBeforeFoundingAndByOthers(t *testing.T) {
	w := unfounded(t)
	a, b := w.party("a", "AMSP"), w.party("b", "AMSP")
	w.refuses(errNotFounded, a, "Alliance.name", object{})
	w.refuses(errNotAMember, b, "Alliance.found", object{"name": "x", "salt": words.Word{}, "first": w.init(a)})
}

func TestVotes(t *testing.T) {
	w := newWorld(t)
	b := w.member("hospital-b", "BMSP", 1, w.first)
	if want := []string{"Alliance.OrganisationJoined"}; !reflect.DeepEqual(w.events(), want) {
		t.Errorf("events %v", w.events())
	}
	c := w.member("hospital-c", "CMSP", 1, w.first, b)
	number := len(contracts) + 2
	w.propose(b, actionSuspend, words.EncodeABI(c.id))
	w.refuses(errAlreadyVoted, b, "Alliance.vote", w.vote(b, number))
	w.refuses(errUnknownProposal, b, "Alliance.vote", object{"proposal": number + 1, "r": words.Word{}, "s": words.Word{}})
	w.refuses(errUnknownProposal, b, "Alliance.vote", object{"proposal": "18446744073709551616", "r": words.Word{}, "s": words.Word{}})
	w.must(w.first, "Alliance.vote", w.vote(w.first, number))
	want := []string{"Alliance.Voted", "Alliance.OrganisationSuspended", "Alliance.Executed"}
	if !reflect.DeepEqual(w.events(), want) {
		t.Errorf("events %v", w.events())
	}
	w.refuses(errProposalClosed, w.first, "Alliance.vote", w.vote(w.first, number))
	w.refuses(errWrongStatus, c, "Alliance.propose", w.proposal(c, actionExpel, words.EncodeABI(b.id)))
}

func TestStolenAccountsAreNoMajority(t *testing.T) {
	w := newWorld(t)
	thief := w.party("thief", "AMSP")
	taken := words.EncodeABI(w.first.id, thief.x, thief.y)
	forged := w.proposal(&party{id: w.first.id, private: thief.private}, actionRotateKey, taken)
	w.refuses(errBadSignature, w.first, "Alliance.propose", forged)
	b := w.member("hospital-b", "BMSP", 1, w.first)
	said := w.proposal(w.first, actionSuspend, words.EncodeABI(b.id))
	w.refuses(errBadSignature, w.first, "Alliance.propose", with(said, "action", actionExpel))
	w.refuses(errBadSignature, w.first, "Alliance.propose", with(said, "args", words.Bytes(words.EncodeABI(w.first.id))))
	w.refuses(errBadSignature, b, "Alliance.propose", said)
	w.must(w.first, "Alliance.propose", said)
	w.refuses(errBadSignature, w.first, "Alliance.propose", said)
	number := len(contracts) + 1
	w.refuses(errBadSignature, b, "Alliance.vote", w.vote(w.first, number))
	w.refuses(errBadSignature, b, "Alliance.vote", w.vote(&party{id: b.id, private: thief.private}, number))
	w.propose(w.first, actionExpel, words.EncodeABI(b.id))
	w.refuses(errBadSignature, b, "Alliance.vote", with(w.vote(b, number), "proposal", number+1))
}

func TestAProposalEnds(t *testing.T) {
	w := newWorld(t)
	b := w.member("hospital-b", "BMSP", 1, w.first)
	w.propose(b, actionSuspend, words.EncodeABI(w.first.id))
	w.pass(votingPeriod * time.Second)
	w.refuses(errProposalClosed, w.first, "Alliance.vote", w.vote(w.first, len(contracts)+1))
}

func TestVotesOfTheDepartedDoNotCount(t *testing.T) {
	w := newWorld(t)
	b := w.member("hospital-b", "BMSP", 1, w.first)
	c := w.member("hospital-c", "CMSP", 1, w.first, b)
	w.propose(c, actionSetRoles, words.EncodeABI(b.id, uint32(3)))
	w.decide(actionExpel, words.EncodeABI(c.id), w.first, b)
	w.must(b, "Alliance.vote", w.vote(b, len(contracts)+2))
	var p proposal
	w.read(&p, "Alliance.proposalOf", object{"proposal": len(contracts) + 2})
	if p.Executed || len(p.Voters) != 2 {
		t.Errorf("%+v", p)
	}
}

func TestWhatVotesDo(t *testing.T) {
	w := newWorld(t)
	b := w.member("hospital-b", "BMSP", 1, w.first)
	both := []*party{w.first, b}
	w.decide(actionSetRoles, words.EncodeABI(b.id, uint32(4)), both...)
	fresh := w.party("fresh", "BMSP")
	w.decide(actionRotateKey, words.EncodeABI(b.id, fresh.x, fresh.y), both...)
	b.private = fresh.private
	w.decide(actionSuspend, words.EncodeABI(b.id), both...)
	w.decide(actionRestore, words.EncodeABI(b.id), w.first)
	var o organisationView
	w.read(&o, "Alliance.organisation", object{"id": b.id})
	if o.Status != statusActive || o.Roles != 4 || o.X != fresh.x || o.JoinedAt == 0 {
		t.Errorf("%+v", o)
	}
	w.decide(actionExpel, words.EncodeABI(b.id), both...)
	w.refuses(errLastMember, w.first, "Alliance.propose", w.proposal(w.first, actionExpel, words.EncodeABI(w.first.id)))
}

func TestVotesThatCannotBeDone(t *testing.T) {
	w := newWorld(t)
	unknown, other := words.Kind("unknown"), w.party("other", "AMSP")
	for _, c := range []struct {
		name   string
		action int
		args   []byte
	}{
		{errWrongStatus, actionSuspend, words.EncodeABI(unknown)},
		{errWrongStatus, actionRestore, words.EncodeABI(w.first.id)},
		{errWrongStatus, actionExpel, words.EncodeABI(unknown)},
		{errWrongStatus, actionSetRoles, words.EncodeABI(unknown, uint32(1))},
		{errUnknownRoles, actionSetRoles, words.EncodeABI(w.first.id, uint32(32))},
		{errWrongStatus, actionRotateKey, words.EncodeABI(unknown, other.x, other.y)},
		{errKeyOffCurve, actionRotateKey, words.EncodeABI(w.first.id, other.x, other.x)},
		{errWrongStatus, actionInvite, words.EncodeABI(w.first.id, unknown, uint32(1), other.x, other.y, other.account.address)},
		{errZeroValue, actionInvite, words.EncodeABI(words.Word{}, unknown, uint32(1), other.x, other.y, other.account.address)},
		{errZeroValue, actionInvite, words.EncodeABI(other.id, unknown, uint32(1), other.x, other.y, words.Address{})},
		{errAccountTaken, actionInvite, words.EncodeABI(other.id, unknown, uint32(1), other.x, other.y, w.first.account.address)},
		{errUnknownRoles, actionInvite, words.EncodeABI(other.id, unknown, uint32(64), other.x, other.y, other.account.address)},
		{errKeyOffCurve, actionInvite, words.EncodeABI(other.id, unknown, uint32(1), other.y, other.x, other.account.address)},
		{errNoCode, actionExecute, words.EncodeABI(other.account.address, words.Bytes{})},
		{errRevertedWithoutData, actionExecute, words.EncodeABI(w.address(registry), words.Bytes{1, 2, 3})},
		{errRevertedWithoutData, actionExecute, words.EncodeABI(w.address(registry), words.Bytes(selector(registry, "freeze")))},
		{errRevertedWithoutData, actionSuspend, []byte{1}},
		{errRevertedWithoutData, actionExecute + 1, nil},
		{errUnknownName, actionExecute, w.execution(registry, "freeze", unknown)},
		{errWrongState, actionExecute, w.execution(registry, "thaw", words.Kind(consent))},
		{errVersionNotAbove, actionExecute, w.execution(registry, "publish", words.Kind(consent), w.address(consent), uint32(1))},
		{errNoCode, actionExecute, w.execution(registry, "publish", words.Kind(consent), other.account.address, uint32(2))},
		{errNotAMember, actionExecute, w.execution(evidence, "record", unknown, unknown)},
	} {
		w.refuses(c.name, w.first, "Alliance.propose", w.proposal(w.first, c.action, c.args))
	}
}

func TestRegistryIsTheAlliances(t *testing.T) {
	w := newWorld(t)
	w.refuses(errOnlyAlliance, w.first, "Registry.freeze", object{"name": words.Kind(consent)})
	w.refuses(errOnlyAlliance, w.first, "Registry.thaw", object{"name": words.Kind(consent)})
	w.refuses(errOnlyAlliance, w.first, "Registry.publish",
		object{"name": words.Kind(consent), "target": w.address(consent), "version": 2})
	w.decide(actionExecute, w.execution(registry, "publish", words.Kind("Consent2"), w.address(consent), uint32(3)), w.first)
	var target words.Address
	w.read(&target, "Registry.addressOf", object{"name": words.Kind("Consent2")})
	if target != w.address(consent) {
		t.Errorf("%x", target)
	}
	w.refuses(errUnknownName, w.first, "Registry.addressOf", object{"name": words.Kind("Consent3")})
}

func TestFrozenContractsRefuse(t *testing.T) {
	w := newWorld(t)
	for _, contract := range []string{evidence, schema, workflow, dataIndex} {
		w.freeze(contract)
	}
	word := words.Kind("word")
	w.refuses(errContractFrozen, w.first, "Evidence.record", object{"kind": word, "digest": word})
	w.refuses(errContractFrozen, w.first, "Schema.register", object{"schemaId": word, "elements": 1, "supersedes": words.Word{}})
	w.refuses(errContractFrozen, w.first, "Workflow.submit", object{"id": word, "kind": word, "packageDigest": word})
	w.refuses(errContractFrozen, w.first, "DataIndex.anchorBatch",
		object{"root": word, "firstSequence": 0, "count": 1, "previousRoot": words.Word{}})
	var frozen bool
	w.read(&frozen, "Registry.isFrozen", object{"target": w.address(evidence)})
	if !frozen {
		t.Error("not frozen")
	}
	w.decide(actionExecute, w.execution(registry, "publish", words.Kind(evidence), w.address(evidence), uint32(2)), w.first)
	var all []registered
	if w.read(&all, "Registry.all", object{}); !all[len(all)-1].Frozen || all[len(all)-1].Version != 2 {
		t.Errorf("a new version thawed it: %+v", all[len(all)-1])
	}
	w.decide(actionExecute, w.execution(registry, "thaw", words.Kind(evidence)), w.first)
	w.must(w.first, "Evidence.record", object{"kind": word, "digest": word})
}

func TestOwnKeyAndAccounts(t *testing.T) {
	w := newWorld(t)
	a, d := w.first, w.domain(alliance)
	second := newAccount(t, "AMSP")
	allow := func(address words.Address, allowed bool, nonce uint64) object {
		r, s := rs(a.sign(t, kindLedgerAccount, d, a.id, address.Word(), words.FromBool(allowed), words.FromUint64(nonce)))
		return object{"account": address, "allowed": allowed, "r": r, "s": s}
	}
	w.refuses(errOwnAccount, a, "Alliance.setAccount", allow(a.account.address, false, 1))
	w.refuses(errZeroValue, a, "Alliance.setAccount", allow(words.Address{}, true, 1))
	w.refuses(errAccountTaken, a, "Alliance.setAccount", allow(second.address, false, 1))
	w.refuses(errBadSignature, a, "Alliance.setAccount", allow(second.address, true, 0))
	w.must(a, "Alliance.setAccount", allow(second.address, true, 1))
	w.refuses(errAccountTaken, a, "Alliance.setAccount", allow(second.address, true, 2))
	var m memberView
	w.read(&m, "Alliance.memberOf", object{"account": second.address})
	if m.ID != a.id || m.Status != statusActive {
		t.Errorf("%+v", m)
	}
	w.must(a, "Alliance.setAccount", allow(second.address, false, 2))
	var id words.Word
	if w.read(&id, "Alliance.organisationOf", object{"account": second.address}); !id.IsZero() {
		t.Errorf("still of %x", id)
	}

	fresh := w.party("fresh", "AMSP")
	r, s := rs(a.sign(t, kindOrganisationKey, d, a.id, fresh.x, fresh.y, words.FromUint64(3)))
	rotation := object{"x": fresh.x, "y": fresh.y, "r": r, "s": s}
	w.must(a, "Alliance.rotateKey", rotation)
	w.refuses(errBadSignature, a, "Alliance.rotateKey", rotation)
	var k organisationKeyView
	w.read(&k, "Alliance.keyOf", object{"id": a.id})
	if k.X != fresh.x || k.Nonce != 4 || k.Z.IsZero() {
		t.Errorf("%+v", k)
	}
}

func TestLeavingAndComingBack(t *testing.T) {
	w := newWorld(t)
	b := w.member("hospital-b", "BMSP", 1, w.first)
	d, extra := w.domain(alliance), newAccount(t, "BMSP")
	r, s := rs(b.sign(t, kindLedgerAccount, d, b.id, extra.address.Word(), words.FromBool(true), words.FromUint64(1)))
	w.must(b, "Alliance.setAccount", object{"account": extra.address, "allowed": true, "r": r, "s": s})
	r, s = rs(b.sign(t, kindAllianceLeave, d, b.id, words.FromUint64(1)))
	w.refuses(errBadSignature, b, "Alliance.leave", object{"r": r, "s": s})
	r, s = rs(b.sign(t, kindAllianceLeave, d, b.id, words.FromUint64(2)))
	w.must(b, "Alliance.leave", object{"r": r, "s": s})
	w.refuses(errWrongStatus, b, "Alliance.leave", object{"r": r, "s": s})

	w.invite(b, 1, w.first)
	w.refuses(errNotAMember, &party{account: extra}, "Alliance.join", object{"organisation": b.id})
	w.must(b, "Alliance.join", object{"organisation": b.id})
	w.refuses(errWrongStatus, b, "Alliance.join", object{"organisation": b.id})
	var status uint8
	if w.read(&status, "Alliance.statusOf", object{"id": b.id}); status != statusActive {
		t.Errorf("status %d", status)
	}
	var active words.Uint64
	if w.read(&active, "Alliance.activeMembers", object{}); active != 2 {
		t.Errorf("%d active", active)
	}
	r, s = rs(w.first.sign(t, kindAllianceLeave, d, w.first.id, words.FromUint64(3)))
	w.must(w.first, "Alliance.leave", object{"r": r, "s": s})
	nonce := words.FromUint64(3)
	r, s = rs(b.sign(t, kindAllianceLeave, d, b.id, nonce))
	w.refuses(errLastMember, b, "Alliance.leave", object{"r": r, "s": s})
}

func TestAllianceViews(t *testing.T) {
	w := newWorld(t)
	var name string
	if w.read(&name, "Alliance.name", object{}); name != "测试联盟" {
		t.Errorf("name %q", name)
	}
	var id, domain words.Word
	w.read(&id, "Alliance.ledgerId", object{})
	w.read(&domain, "Alliance.domain", object{})
	if id != w.ledgerID || domain != w.domain(alliance) {
		t.Errorf("%x %x", id, domain)
	}
	var g governance
	if w.read(&g, "Alliance.governance", object{}); g != (governance{1, 2}) {
		t.Errorf("%+v", g)
	}
	var address words.Address
	if w.read(&address, "Registry.alliance", object{}); address != w.address(alliance) {
		t.Errorf("%x", address)
	}
}
