package ledger

import (
	"encoding/json"
	"testing"

	"healthtrust/chaincode/decision"
	"healthtrust/chaincode/words"
)

// asking is a proposal of many questions; each is a method, its arguments and, where it opens one, a scope.
type asking struct {
	method string
	args   object
	scope  any
}

func (w *world) many(asked ...asking) *stubDouble {
	w.t.Helper()
	args, transient := [][]byte{[]byte(manyFunction)}, map[string][]byte{}
	for i, q := range asked {
		args = append(args, []byte(q.method), w.json(q.args))
		if q.scope != nil {
			transient[openedKey+"/"+string(rune('0'+i))] = w.json(q.scope)
		}
	}
	s := w.peer.proposal(w.first.account, w.now, args...)
	s.transient = transient
	return s
}

func (w *world) json(value any) []byte {
	w.t.Helper()
	data, err := words.EncodeJSON(value)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

func TestManyQuestionsAreAnsweredAsEachAlone(t *testing.T) {
	w := newWorld(t)
	resident, doctor, c := w.consenting()
	deciding := object{"request": w.asked(resident, doctor), "consent": c.id, "time": uint64(w.now.Unix())}
	s := w.many(
		asking{method: "Alliance.name", args: object{}},
		asking{"Consent.decide", deciding, c.opened},
		asking{method: "Consent.consentOf", args: object{"consent": c.id}},
		asking{"Consent.decideMany", object{"asks": []ask{}, "time": 1}, []opened{}},
	)
	response := w.chaincode.Invoke(s)
	var answers []json.RawMessage
	if response.GetStatus() != 200 || json.Unmarshal(response.GetPayload(), &answers) != nil || len(answers) != 4 {
		t.Fatalf("%s %s", response.GetMessage(), response.GetPayload())
	}
	if len(s.writes)+len(s.rules)+len(s.events) > 0 {
		t.Error("asking left something")
	}
	for i, alone := range [][]byte{
		w.must(w.first, "Alliance.name", object{}),
		w.must(w.first, "Consent.decide", deciding, c.opened),
		w.must(w.first, "Consent.consentOf", object{"consent": c.id}),
		[]byte("[]"),
	} {
		if string(answers[i]) != string(alone) {
			t.Errorf("%d: %s, alone %s", i, answers[i], alone)
		}
	}
	var decided decision.Answer
	if json.Unmarshal(answers[1], &decided) != nil || decided.Reason != decision.OK {
		t.Errorf("%s", answers[1])
	}
}

func TestOneRefusalRefusesAllQuestions(t *testing.T) {
	w := newWorld(t)
	_, _, c := w.consenting()
	name := asking{method: "Alliance.name", args: object{}}
	refused := func(want string, s *stubDouble) {
		t.Helper()
		var no seenRefusal
		response := w.chaincode.Invoke(s)
		if response.GetStatus() == 200 || json.Unmarshal([]byte(response.GetMessage()), &no) != nil || no.Name != want {
			t.Errorf("%d %s, not %s", response.GetStatus(), response.GetMessage(), want)
		}
		if len(s.writes)+len(s.rules)+len(s.events) > 0 {
			t.Error("a refusal left something")
		}
	}
	unknown := asking{method: "DataIndex.batchOf", args: object{"organisation": w.first.id, "batch": 9}}
	refused(errUnknownBatch, w.many(name, unknown, name))
	refused(errInvalidArgument, w.many(name, asking{method: "Alliance.name", args: object{"more": 1}}))
	refused(errInvalidArgument, w.many(name, asking{method: "Alliance.vanish", args: object{}}))
	refused(errInvalidArgument, w.many(name, asking{method: "Evidence.record", args: object{"kind": c.id, "digest": c.id}}))
	refused(errInvalidArgument, w.many(name, asking{method: manyFunction, args: object{}}))
	refused(errInvalidArgument, w.many())
	odd := w.many(name)
	odd.args = odd.args[:2]
	refused(errInvalidArgument, odd)
	elsewhere := w.many(name)
	elsewhere.chaincode = "other"
	refused(errForeignCall, elsewhere)
}
