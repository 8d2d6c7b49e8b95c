package ledger

import (
	"reflect"
	"testing"

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
	want := []string{"Alliance.OrganisationJoined"}
	if !reflect.DeepEqual(w.events(), want) {
		t.Errorf("events %v", w.events())
	}
	c := w.member("hospital-c", "CMSP", 1, w.first, b)
	w.propose(b, actionSuspend, words.EncodeABI(c.id))
	w.refuses(errAlreadyVoted, b, "Alliance.vote", object{"proposal": len(contracts) + 2})
	w.refuses(errUnknownProposal, b, "Alliance.vote", object{"proposal": 99})
	w.must(w.first, "Alliance.vote", object{"proposal": len(contracts) + 2})
	w.refuses(errProposalClosed, w.first, "Alliance.vote", object{"proposal": len(contracts) + 2})
	w.refuses(errWrongStatus, c, "Alliance.propose", object{"action": actionExpel, "args": words.Bytes(words.EncodeABI(b.id))})
}
