// Package ledger is the chaincode: the objects of contracts/src with the same verbs, arguments, errors, events and order of
// checks, on a Hyperledger Fabric channel (docs/ledger.md, Fabric).
package ledger

import (
	"errors"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

const foundMethod = "found"

// Chaincode answers proposals. A transaction carries its client's time; one further than Skew from Clock is refused.
type Chaincode struct {
	Clock func() time.Time
	Skew  time.Duration
}

// Init implements shim.Chaincode; there is nothing to do before Alliance.found.
func (c *Chaincode) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

// Invoke implements shim.Chaincode: function "<Contract>.<method>", one argument, the JSON object of the method's arguments; or a
// number of questions (many.go).
func (c *Chaincode) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	answer, err := c.answer(stub)
	if err != nil {
		return shim.Error(asRefusal(err).Error())
	}
	return shim.Success(answer)
}

func (c *Chaincode) answer(stub shim.ChaincodeStubInterface) ([]byte, error) {
	args := stub.GetArgs()
	if len(args) > 0 && string(args[0]) == manyFunction {
		return c.answerMany(stub, args[1:])
	}
	if len(args) != 2 {
		return nil, invalid("a call is a function and one argument, a JSON object")
	}
	m, known := methods[string(args[0])]
	if !known {
		return nil, invalid("there is no %q", args[0])
	}
	f, err := c.open(stub, m)
	if err != nil {
		return nil, err
	}
	return question{m, args[1]}.answer(f)
}

// open is the frame of a proposal: who calls, when, and which ledger this is.
func (c *Chaincode) open(stub shim.ChaincodeStubInterface, m method) (f *frame, err error) {
	f = newFrame(stub, m.readOnly)
	if f.caller, err = callerOf(stub); err != nil {
		return f, err
	}
	if f.time, err = c.timeOf(stub, m.readOnly); err != nil {
		return f, err
	}
	name, err := calledName(stub)
	if err != nil {
		return f, err
	}
	f.facts = load[facts](f, factsKey())
	if f.err != nil {
		return f, f.err
	}
	if err := standing(f.facts, m, name); err != nil {
		return f, err
	}
	f.facts.Chaincode, f.facts.channel = name, stub.GetChannelID()
	return f, nil
}

// standing: founded once, and called under the name it was founded with. Another chaincode that calls this one shows its own
// name, and must not act in the name of whoever called it.
func standing(known facts, m method, name string) error {
	founding := m.contract == alliance && m.name == foundMethod
	founded := !known.LedgerID.IsZero()
	switch {
	case founding && founded:
		return refuse(errAlreadyFounded)
	case !founding && !founded:
		return refuse(errNotFounded)
	case founded && known.Chaincode != name:
		return refuse(errForeignCall, field{"chaincode", name})
	default:
		return nil
	}
}

// timeOf is the transaction's time in UTC seconds. Reading depends on no time but the one asked about.
func (c *Chaincode) timeOf(stub shim.ChaincodeStubInterface, readOnly bool) (uint64, error) {
	stamp, err := stub.GetTxTimestamp()
	if err != nil {
		return 0, err
	}
	given := stamp.AsTime()
	if difference := c.Clock().Sub(given).Abs(); !readOnly && difference > c.Skew {
		return 0, refuse(errClockDisagrees, field{"time", given.Unix()}, field{"limit", uint64(c.Skew / time.Second)})
	}
	return uint64(max(given.Unix(), 0)), nil
}

func asRefusal(err error) *refusal {
	var known *refusal
	if errors.As(err, &known) {
		return known
	}
	return &refusal{errInternal, fields{{"detail", err.Error()}}}
}
