package ledger

import (
	"encoding/json"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"healthtrust/chaincode/words"
)

// FuzzInvoke: whatever a client sends, the chaincode answers or refuses in its own words, and what it refuses leaves nothing.
func FuzzInvoke(f *testing.F) {
	w := newWorld(f)
	resident, doctor, c := w.consenting()
	asked, err := words.EncodeJSON(object{"request": w.asked(resident, doctor), "consent": c.id, "time": 1})
	if err != nil {
		f.Fatal(err)
	}
	scope, err := words.EncodeJSON(c.opened)
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range sorted(methods) {
		f.Add(name, []byte("{}"), []byte(nil), false)
	}
	f.Add("Consent.decide", asked, scope, false)
	f.Add(string(evidenceCall[0]), evidenceCall[1], []byte(nil), true)
	execution, err := words.EncodeJSON(w.proposal(w.first, actionExecute, w.execution(registry, "freeze", words.Kind(consent))))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("Alliance.propose", execution, []byte(nil), false)
	f.Fuzz(func(t *testing.T, method string, args, scopes []byte, stranger bool) {
		s := w.peer.proposal(w.first.account, w.now, []byte(method), args)
		s.transient = map[string][]byte{openedKey: scopes}
		if stranger {
			s.creator = args
		}
		response := w.chaincode.Invoke(s)
		if response.GetStatus() == shim.OK {
			if !json.Valid(response.GetPayload()) {
				t.Errorf("%s answered %q", method, response.GetPayload())
			}
			return
		}
		if len(s.writes)+len(s.rules)+len(s.events) > 0 || !json.Valid([]byte(response.GetMessage())) {
			t.Errorf("%s refused with %q and left %d writes", method, response.GetMessage(), len(s.writes))
		}
	})
}

// FuzzVote: whatever bytes members vote for, executing them ends in one of the contracts' errors or in what they say.
func FuzzVote(f *testing.F) {
	w := newWorld(f)
	p := w.party("other", "AMSP")
	f.Add(uint8(actionInvite), words.EncodeABI(p.id, p.id, uint32(1), p.x, p.y, p.account.address))
	f.Add(uint8(actionSetRoles), words.EncodeABI(w.first.id, uint32(1)))
	f.Add(uint8(actionRotateKey), words.EncodeABI(w.first.id, p.x, p.y))
	f.Add(uint8(actionExecute), w.execution(registry, "thaw", words.Kind(consent)))
	f.Add(uint8(actionExecute), words.EncodeABI(w.address(consent), words.Bytes(selector(consent, "domain"))))
	f.Fuzz(func(t *testing.T, action uint8, data []byte) {
		own := *w
		own.t = t
		args, err := words.EncodeJSON(own.proposal(w.first, int(action), data))
		if err != nil {
			t.Fatal(err)
		}
		s := w.peer.proposal(w.first.account, w.now, []byte("Alliance.propose"), args)
		if response := w.chaincode.Invoke(s); response.GetStatus() != shim.OK {
			w.abi.refusal(t, "Alliance.propose", response.GetMessage())
		} else {
			w.abi.events(t, s.events)
		}
	})
}
