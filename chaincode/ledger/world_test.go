package ledger

import (
	"crypto/rand"
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

const (
	founderRoles = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<4
	dayLength    = 24 * time.Hour
)

type object = map[string]any

// party is an organisation or a person with an SM2 key, and for organisations an account.
type party struct {
	id      words.Word
	x, y    words.Word
	private *sm2.PrivateKey
	account *account
}

// world is a founded alliance on a doubled peer with a clock that tests turn.
type world struct {
	t         testing.TB
	abi       *interfaces
	peer      *peerDouble
	chaincode *Chaincode
	now       time.Time
	ledgerID  words.Word
	first     *party
	last      *stubDouble
}

// seenEvent is an event as a client reads it.
type seenEvent struct {
	Contract string `json:"contract"`
	Name     string `json:"name"`
	Args     object `json:"args"`
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := unfounded(t)
	w.first = w.party("hospital-a", "AMSP")
	answer := w.must(w.first, "Alliance.found", object{"name": "测试联盟", "salt": words.Kind("salt"), "first": w.init(w.first)})
	if err := json.Unmarshal(answer, &w.ledgerID); err != nil {
		t.Fatal(err)
	}
	return w
}

func unfounded(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, abi: readInterfaces(t), peer: newPeer(), now: time.Unix(1_800_000_000, 0)}
	w.chaincode = &Chaincode{Clock: func() time.Time { return w.now }, Skew: time.Minute}
	return w
}

// party makes a key and an account; the id is the name as a word.
func (w *world) party(name, mspID string) *party {
	w.t.Helper()
	private, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	p := &party{id: words.Kind(name), private: private, account: newAccount(w.t, mspID)}
	private.X.FillBytes(p.x[:])
	private.Y.FillBytes(p.y[:])
	return p
}

func (w *world) init(p *party) object {
	return object{
		"id": p.id, "nameDigest": national.Hash(p.id[:]), "roles": founderRoles, "x": p.x, "y": p.y, "account": p.account.address,
	}
}

// sign is r‖s of an SM2 signature over the words.
func (p *party) sign(t testing.TB, ws ...words.Word) words.Bytes {
	t.Helper()
	digest, err := sm2.CalculateSM2Hash(&p.private.PublicKey, message(ws...), []byte(national.UserID))
	if err != nil {
		t.Fatal(err)
	}
	r, s, err := sm2.Sign(rand.Reader, &p.private.PrivateKey, digest)
	if err != nil {
		t.Fatal(err)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

// rs is a signature as the two words that some methods take.
func rs(signature words.Bytes) (r, s words.Word) {
	return words.Word(signature[:32]), words.Word(signature[32:])
}

func (w *world) domain(contract string) words.Word {
	return Domain(w.ledgerID, ContractWord("health", "healthtrust", contract))
}

func (w *world) address(contract string) words.Address {
	return ContractWord("health", "healthtrust", contract).Address()
}

// call makes a proposal, checks answer, events and refusal against the interfaces, and commits what it wrote.
func (w *world) call(by *party, method string, args object, scopes ...any) (answer []byte, refused *seenRefusal) {
	w.t.Helper()
	encoded, err := words.EncodeJSON(args)
	if err != nil {
		w.t.Fatal(err)
	}
	s := w.peer.proposal(by.account, w.now, []byte(method), encoded)
	if len(scopes) > 0 {
		data, err := words.EncodeJSON(scopes[0])
		if err != nil {
			w.t.Fatal(err)
		}
		s.transient = map[string][]byte{openedKey: data}
	}
	return w.answered(s, method)
}

func (w *world) answered(s *stubDouble, method string) (answer []byte, refused *seenRefusal) {
	w.t.Helper()
	response := w.chaincode.Invoke(s)
	w.last = s
	if response.GetStatus() != 200 {
		refused = w.abi.refusal(w.t, method, response.GetMessage())
		if len(s.writes)+len(s.rules)+len(s.events) > 0 {
			w.t.Fatalf("%s refused, but wrote", method)
		}
		return nil, refused
	}
	w.abi.answer(w.t, method, response.GetPayload())
	w.abi.events(w.t, s.events)
	s.commit()
	return response.GetPayload(), nil
}

// must is call for what must be accepted.
func (w *world) must(by *party, method string, args object, scopes ...any) []byte {
	w.t.Helper()
	answer, refused := w.call(by, method, args, scopes...)
	if refused != nil {
		w.t.Fatalf("%s: %v", method, refused)
	}
	return answer
}

// refuses is call for what must be refused with that error.
func (w *world) refuses(name string, by *party, method string, args object, scopes ...any) {
	w.t.Helper()
	answer, refused := w.call(by, method, args, scopes...)
	if refused == nil {
		w.t.Fatalf("%s was accepted (%s), should be refused as %s", method, answer, name)
		return
	}
	if refused.Name != name {
		w.t.Fatalf("%s: refused as %v, should be %s", method, refused, name)
	}
}

// read is the answer of a view, into a value.
func (w *world) read(into any, method string, args object, scopes ...any) {
	w.t.Helper()
	if err := json.Unmarshal(w.must(w.first, method, args, scopes...), into); err != nil {
		w.t.Fatal(err)
	}
}

// events are the names of what the last call reported.
func (w *world) events() (names []string) {
	w.t.Helper()
	for _, e := range w.abi.events(w.t, w.last.events) {
		names = append(names, e.Contract+"."+e.Name)
	}
	return names
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// propose is a vote's opening with the arguments as bytes.
func (w *world) propose(by *party, action int, args []byte) {
	w.t.Helper()
	w.must(by, "Alliance.propose", w.proposal(by, action, args))
}

// proposal is the arguments of a signed proposal.
func (w *world) proposal(by *party, action int, args []byte) object {
	w.t.Helper()
	var k organisationKeyView
	w.read(&k, "Alliance.keyOf", object{"id": by.id})
	digest, nonce := national.Hash(args), words.FromUint64(uint64(k.Nonce))
	r, s := rs(by.sign(w.t, kindAllianceProposal, w.domain(alliance), by.id, words.FromUint64(uint64(action)), digest, nonce))
	return object{"action": action, "args": words.Bytes(args), "r": r, "s": s}
}

// vote is the arguments of a signed vote.
func (w *world) vote(by *party, number int) object {
	w.t.Helper()
	var p proposal
	w.read(&p, "Alliance.proposalOf", object{"proposal": number})
	decided := []words.Word{words.FromUint64(uint64(number)), words.FromUint64(uint64(p.Action)), national.Hash(p.Args)}
	r, s := rs(by.sign(w.t, append([]words.Word{kindAllianceVote, w.domain(alliance), by.id}, decided...)...))
	return object{"proposal": number, "r": r, "s": s}
}

// member invites an organisation (the votes of all given members suffice) and lets it join.
func (w *world) member(name, mspID string, roles uint32, voters ...*party) *party {
	w.t.Helper()
	p := w.party(name, mspID)
	w.invite(p, roles, voters...)
	w.must(p, "Alliance.join", object{"organisation": p.id})
	return p
}

func (w *world) invite(p *party, roles uint32, voters ...*party) {
	w.t.Helper()
	args := words.EncodeABI(p.id, national.Hash(p.id[:]), roles, p.x, p.y, p.account.address)
	w.decide(actionInvite, args, voters...)
}

// decide lets members vote until the proposal is executed.
func (w *world) decide(action int, args []byte, voters ...*party) {
	w.t.Helper()
	var number words.Uint64
	opened := w.must(voters[0], "Alliance.propose", w.proposal(voters[0], action, args))
	if err := json.Unmarshal(opened, &number); err != nil {
		w.t.Fatal(err)
	}
	for _, v := range voters[1:] {
		w.must(v, "Alliance.vote", w.vote(v, int(number)))
	}
	var p proposal
	w.read(&p, "Alliance.proposalOf", object{"proposal": number})
	if !p.Executed {
		w.t.Fatalf("proposal %d is not executed", number)
	}
}

// execution is what a vote to call a contract carries.
func (w *world) execution(contract, method string, values ...any) []byte {
	data := append(selector(contract, method), words.EncodeABI(values...)...)
	return words.EncodeABI(w.address(contract), words.Bytes(data))
}

func (w *world) freeze(contract string) {
	w.t.Helper()
	w.decide(actionExecute, w.execution(registry, "freeze", words.Kind(contract)), w.first)
}

// resident makes a person whose key is bound.
func (w *world) resident(name string) *party {
	w.t.Helper()
	p := w.party(name, "AMSP")
	w.must(w.first, "Identity.bindKey", w.binding(p, w.first))
	return p
}

func (w *world) binding(p, registrar *party) object {
	d := w.domain(identity)
	return object{
		"subject": p.id, "x": p.x, "y": p.y, "possession": p.sign(w.t, kindKeyBind, d, p.id, p.x, p.y),
		"registrar": registrar.id, "attestation": registrar.sign(w.t, kindKeyAttest, d, p.id, p.x, p.y),
	}
}

// packed is the word of grant, amend and revoke.
func packed(notBefore, notAfter, useLimit, nonce uint64) words.Uint256 {
	n := new(big.Int).Lsh(new(big.Int).SetUint64(notBefore), 192)
	n.Or(n, new(big.Int).Lsh(new(big.Int).SetUint64(notAfter), 128))
	n.Or(n, new(big.Int).Lsh(new(big.Int).SetUint64(useLimit), 96))
	n.Or(n, new(big.Int).SetUint64(nonce))
	var made words.Uint256
	n.FillBytes(made[:])
	return made
}
