package ledger

import (
	"healthtrust/chaincode/decision"
	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

// openedKey is where a proposal carries opened scopes: in the transient map, which no transaction contains.
const openedKey = "opened"

// opened is a scope in the clear and the salt of its commitment.
type opened struct {
	ScopeWords words.Bytes `json:"scopeWords"`
	Salt       words.Word  `json:"salt"`
}

type decideArgs struct {
	Request decision.Request `json:"request"`
	Consent words.Word       `json:"consent"`
	Time    words.Uint64     `json:"time"`
}

// decide answers one request over the scope in the transient map at a time (UTC seconds). It only reads: see docs/ledger.md on
// why its answer is never submitted.
func decide(f *frame, a decideArgs) (answer decision.Answer, err error) {
	var o opened
	if err := f.transient(f.opened, &o); err != nil {
		return answer, err
	}
	asked := ask{a.Request, a.Consent}
	f.expectStates([]query{asked.query()})
	return f.decideOne(asked, o, a.Time), nil
}

type ask struct {
	Request decision.Request `json:"request"`
	Consent words.Word       `json:"consent"`
}

// query names the state that the decision depends on.
func (a ask) query() query {
	return query{a.Consent, a.Request.Requester, a.Request.RequesterOrganisation, a.Request.Custodian}
}

type decideManyArgs struct {
	Asks []ask        `json:"asks"`
	Time words.Uint64 `json:"time"`
}

// decideMany is decide for many requests at one time; the transient map holds as many opened scopes, in the same order.
func decideMany(f *frame, a decideManyArgs) ([]decision.Answer, error) {
	var scopes []opened
	if err := f.transient(f.opened, &scopes); err != nil {
		return nil, err
	}
	if len(scopes) != len(a.Asks) {
		return nil, invalid("%d asks, but %d opened scopes", len(a.Asks), len(scopes))
	}
	queries := make([]query, len(a.Asks))
	for i, q := range a.Asks {
		queries[i] = q.query()
	}
	f.expectStates(queries)
	answers := make([]decision.Answer, len(a.Asks))
	for i, q := range a.Asks {
		answers[i] = f.decideOne(q, scopes[i], a.Time)
	}
	return answers, nil
}

func (f *frame) decideOne(a ask, o opened, time words.Uint64) decision.Answer {
	opening := national.HMAC(o.Salt, o.ScopeWords)
	return decision.Evaluate(f.stateOf(a.query()), a.Request, o.ScopeWords, opening, uint64(time))
}

// transient reads a value of the proposal's transient map.
func (f *frame) transient(name string, into any) error {
	values, err := f.stub.GetTransient()
	if err != nil {
		return err
	}
	data, there := values[name]
	if !there {
		return invalid("the transient map has no %s", name)
	}
	if err := words.DecodeJSON(data, into); err != nil {
		return invalid("transient %s: %v", name, err)
	}
	return nil
}
