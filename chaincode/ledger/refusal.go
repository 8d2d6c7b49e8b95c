package ledger

import (
	"bytes"
	"fmt"

	"healthtrust/chaincode/words"
)

// field is a named value of an event or a refusal.
type field struct {
	name  string
	value any
}

// fields are written as one JSON object in their own order.
type fields []field

// MarshalJSON implements json.Marshaler.
func (fs fields) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, f := range fs {
		if i > 0 {
			out.WriteByte(',')
		}
		value, err := words.EncodeJSON(f.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%q:%s", f.name, value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// refusal is a contract's no: the error's name and values as in Solidity. Nothing is written and nothing reported.
type refusal struct {
	Name string `json:"error"`
	Args fields `json:"args"`
}

// Error implements error: the JSON that the client gets.
func (r *refusal) Error() string {
	text, err := words.EncodeJSON(r)
	if err != nil {
		return fmt.Sprintf(`{"error":%q,"args":{}}`, errInternal)
	}
	return string(text)
}

func refuse(name string, args ...field) error {
	return &refusal{name, args}
}

func invalid(format string, values ...any) error {
	return refuse(errInvalidArgument, field{"detail", fmt.Sprintf(format, values...)})
}
