package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/statebased"
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"healthtrust/chaincode/words"
)

// frame is one execution: who calls, when, and what it has changed and reported so far. Changes and events reach the ledger only
// if the call ends well. What was written is read back from here, for a peer answers from the state before the transaction.
//
// A failure of the peer is kept in err and judged once, at the end: until then reads give zero values, and nothing is written.
type frame struct {
	stub      shim.ChaincodeStubInterface
	caller    caller
	time      uint64
	facts     facts
	readOnly  bool
	opened    string // transient key of what is opened for a decision
	seen      map[string][]byte
	changes   map[string][]byte
	endorsers map[string]string
	events    []event
	err       error
}

// event is what a contract reports.
type event struct {
	Contract string `json:"contract"`
	Name     string `json:"name"`
	Args     fields `json:"args"`
}

// eventName is the name under which a transaction's events travel, all in one list.
const eventName = "healthtrust"

func newFrame(stub shim.ChaincodeStubInterface, readOnly bool) *frame {
	f := &frame{stub: stub, readOnly: readOnly, opened: openedKey}
	f.seen, f.changes, f.endorsers = map[string][]byte{}, map[string][]byte{}, map[string]string{}
	return f
}

// key is where a contract keeps something: family and fixed-width ids, so that ranges are in order.
func key(contract, family string, ids ...string) string {
	made, err := shim.CreateCompositeKey(contract+"/"+family, ids)
	if err != nil {
		panic(err) // ids are hex: cannot be
	}
	return made
}

// numbered is a number as a part of a key.
func numbered(n uint64) string { return fmt.Sprintf("%016x", n) }

// load is the value under a key; the zero value where there is none.
func load[T any](f *frame, key string) (value T) {
	if data := f.read(key); len(data) > 0 && f.err == nil {
		f.err = json.Unmarshal(data, &value)
	}
	return value
}

func (f *frame) read(key string) []byte {
	if data, changed := f.changes[key]; changed {
		return data
	}
	if _, known := f.seen[key]; !known && f.err == nil {
		f.seen[key], f.err = f.stub.GetState(key)
	}
	return f.seen[key]
}

// expect fetches keys that will be read, in one round trip to the peer.
func (f *frame) expect(keys ...string) {
	if f.err != nil || len(keys) == 0 {
		return
	}
	values, err := f.stub.GetMultipleStates(keys...)
	if f.err = err; err != nil {
		return
	}
	for i, key := range keys {
		f.seen[key] = values[i]
	}
}

// save puts a value under a key.
func save(f *frame, key string, value any) {
	data, err := words.EncodeJSON(value)
	if f.err == nil {
		f.err = err
	}
	f.changes[key] = data
}

// saveOwn is save for an organisation's own register: from now on only transactions that peers of its MSP endorsed can change it.
func saveOwn(f *frame, key string, value any, msp string) {
	save(f, key, value)
	f.endorsers[key] = msp
}

// saveHead is saveOwn for what an organisation changes again and again: the rule is set when it is new, or when the organisation
// came back with another MSP (before is the MSP so far), because a changed rule makes a peer refuse what relies on the old one.
func saveHead(f *frame, key string, value any, before, msp string) {
	save(f, key, value)
	if before != msp {
		f.endorsers[key] = msp
	}
}

// emit reports.
func (f *frame) emit(contract, name string, args ...field) {
	f.events = append(f.events, event{contract, name, args})
}

// as lets a contract be the caller for a while.
func (f *frame) as(account words.Address, run func() error) error {
	before := f.caller.account
	f.caller.account = account
	defer func() { f.caller.account = before }()
	return run()
}

// commit hands changes and events to the peer, in one round trip where the peer can take them so.
func (f *frame) commit() error {
	if f.err == nil && f.readOnly && len(f.changes) > 0 {
		f.err = errors.New("a reading method wrote")
	}
	if len(f.changes) > 0 {
		f.stub.StartWriteBatch()
		f.write()
		f.then(f.stub.FinishWriteBatch)
	}
	if len(f.events) > 0 {
		f.then(f.report)
	}
	return f.err
}

func (f *frame) write() {
	for _, key := range sorted(f.changes) {
		f.then(func() error { return f.stub.PutState(key, f.changes[key]) })
	}
	for _, key := range sorted(f.endorsers) {
		f.then(func() error { return f.endorsedBy(key, f.endorsers[key]) })
	}
}

func (f *frame) then(step func() error) {
	if f.err == nil {
		f.err = step()
	}
}

func (f *frame) report() error {
	payload, err := words.EncodeJSON(f.events)
	if err != nil {
		return err
	}
	return f.stub.SetEvent(eventName, payload)
}

func (f *frame) endorsedBy(key, msp string) error {
	policy, err := statebased.NewStateEP(nil)
	if err != nil {
		return err
	}
	if err := policy.AddOrgs(statebased.RoleTypePeer, msp); err != nil {
		return err
	}
	encoded, err := policy.Policy()
	if err != nil {
		return err
	}
	return f.stub.SetStateValidationParameter(key, encoded)
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
