package ledger

import (
	"maps"
	"math/rand/v2"
	"testing"

	"healthtrust/chaincode/decision"
	"healthtrust/chaincode/words"
)

// probe is a decision that the resident never allowed.
type probe struct {
	name string
	args object
	with opened
}

// attack is a call that somebody once saw, in parts that can be put together anew.
type attack struct {
	method string
	args   object
}

// TestNobodyButTheSubjectOpensAnything: whatever others send, replayed, cut and pasted, nothing that the resident did not grant
// becomes permitted.
func TestNobodyButTheSubjectOpensAnything(t *testing.T) {
	w := newWorld(t)
	b := w.member("hospital-b", "BMSP", founderRoles, w.first)
	attacks, probes := w.overheard(b)
	callers := []*party{w.first, b, w.party("stranger", "CMSP")}
	random := rand.New(rand.NewPCG(20261121, 0))
	taken := 0
	for range 1500 {
		a, other := attacks[random.IntN(len(attacks))], attacks[random.IntN(len(attacks))]
		args := maps.Clone(a.args)
		for _, name := range sorted(args) {
			if value, there := other.args[name]; there && random.IntN(3) == 0 {
				args[name] = value
			}
		}
		if _, refused := w.call(callers[random.IntN(len(callers))], a.method, args); refused == nil {
			taken++
			w.nothingOpened(a.method, probes)
		}
	}
	if taken == 0 {
		t.Error("nothing was accepted: the attacks are no attacks")
	}
}

func (w *world) nothingOpened(after string, probes []probe) {
	w.t.Helper()
	for _, p := range probes {
		var answer decision.Answer
		w.read(&answer, "Consent.decide", p.args, p.with)
		if answer.Outcome == decision.Permit {
			w.t.Fatalf("after %s: %s", after, p.name)
		}
	}
}

// overheard is everything that was signed and sent so far, and what the resident did not allow.
func (w *world) overheard(b *party) ([]attack, []probe) {
	w.t.Helper()
	resident, other, doctor := w.resident("resident"), w.resident("other"), w.party("doctor", "AMSP")
	thief := w.party("thief", "BMSP")
	w.must(w.first, "Identity.issueCredential", w.issue(w.first, doctor, 0))
	kept, ended := w.given(resident, doctor, "kept", 2, 0), w.given(resident, doctor, "ended", 0, 1)
	sent := []attack{
		{"Consent.grant", w.granting(resident, kept)},
		{"Consent.grant", w.granting(resident, ended)},
		{"Consent.revoke", w.revoking(resident, ended.id, 2)},
	}
	for _, a := range sent {
		w.must(w.first, a.method, a.args)
	}
	stolen := w.given(resident, thief, "stolen", 0, 3)
	forged := w.granting(thief, stolen)
	forged["subject"] = resident.id
	attacks := append(sent,
		attack{"Consent.grant", forged},
		attack{"Consent.grant", w.granting(other, w.given(other, doctor, "another's", 0, 0))},
		attack{"Consent.amend", w.amending(other, kept.id, stolen)},
		attack{"Consent.spend", object{"consent": kept.id, "preimage": words.Kind("kept")}},
		attack{"Identity.bindKey", w.binding(thief, w.first)},
		attack{"Identity.rotateKey", w.rotation(other, thief, 0)},
		attack{"Identity.requestRecovery", w.recovering(resident, thief, b, 0)},
		attack{"Identity.recoverKey", object{"subject": resident.id}},
		attack{"Identity.issueCredential", w.issue(b, thief, 0)},
		attack{"Evidence.record", object{"kind": stolen.id, "digest": stolen.commitment}},
	)
	asked := func(person *party, by words.Word, c given) object {
		request := w.asked(resident, person)
		request.RequesterOrganisation = by
		return object{"request": request, "consent": c.id, "time": uint64(w.now.Unix())}
	}
	return attacks, []probe{
		{"a consent that was taken back", asked(doctor, w.first.id, ended), ended.opened},
		{"a consent that was forged", asked(thief, b.id, stolen), stolen.opened},
		{"somebody else's consent", asked(thief, b.id, kept), kept.opened},
		{"another scope than was granted", asked(doctor, w.first.id, kept), ended.opened},
	}
}
