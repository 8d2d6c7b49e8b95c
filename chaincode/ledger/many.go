package ledger

import (
	"encoding/json"
	"fmt"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"healthtrust/chaincode/words"
)

// manyFunction asks a number of reading methods over one state: its arguments are method and JSON object in turn, its answer the
// list of theirs. What is opened for a decision lies in the transient map under "opened/<place of the question>". The first
// refusal refuses all.
const manyFunction = "many"

// question is one of them.
type question struct {
	method method
	args   []byte
}

func (c *Chaincode) answerMany(stub shim.ChaincodeStubInterface, args [][]byte) ([]byte, error) {
	asked, err := questions(args)
	if err != nil {
		return nil, err
	}
	f, err := c.open(stub, asked[0].method)
	if err != nil {
		return nil, err
	}
	answers := make([]json.RawMessage, len(asked))
	for i, q := range asked {
		f.opened = fmt.Sprintf("%s/%d", openedKey, i)
		if answers[i], err = q.answer(f); err != nil {
			return nil, err
		}
	}
	return words.EncodeJSON(answers)
}

func questions(args [][]byte) ([]question, error) {
	if len(args) == 0 || len(args)%2 != 0 {
		return nil, invalid("questions are methods and their arguments in turn")
	}
	asked := make([]question, 0, len(args)/2)
	for i := 0; i < len(args); i += 2 {
		m, known := methods[string(args[i])]
		if !known {
			return nil, invalid("there is no %q", args[i])
		}
		if !m.readOnly {
			return nil, invalid("%s writes: it is called alone", args[i])
		}
		asked = append(asked, question{m, args[i+1]})
	}
	return asked, nil
}

// answer is the method's, as JSON, in the frame of all.
func (q question) answer(f *frame) ([]byte, error) {
	result, err := q.method.run(f, jsonReader(q.method, q.args))
	if err != nil && f.err == nil {
		return nil, err
	}
	if err := f.commit(); err != nil {
		return nil, err
	}
	return words.EncodeJSON(result)
}
