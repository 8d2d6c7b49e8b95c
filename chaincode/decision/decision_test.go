package decision

import (
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"healthtrust/chaincode/internal/vectors"
	"healthtrust/chaincode/national"
	"healthtrust/chaincode/words"
)

// A vector's numbers are JSON numbers, and its masks words.
type vectorConsent struct {
	Subject, Commitment words.Word
	NotBefore, NotAfter uint64
	UseLimit, Uses      uint32
	Status              uint8
}

type vectorCredential struct {
	Organisation        words.Word
	Roles               uint32
	NotBefore, NotAfter uint64
	Status              uint8
}

type vectorRequest struct {
	Subject, Requester, Organisation, Custodian, Record, Schema, Fields words.Word
	Role, Purpose, Category                                             uint64
}

type vectorRow struct {
	Name  string
	State struct {
		Consent                 vectorConsent
		Organisation, Custodian uint8
		Credential              vectorCredential
	}
	Request  vectorRequest
	Words    words.Bytes
	Salt     words.Word
	Time     uint64
	Expected struct {
		Outcome uint8
		Reason  uint16
		Fields  words.Word
	}
}

func (r vectorRow) state() State {
	c, p := r.State.Consent, r.State.Credential
	return State{
		ConsentState{c.Subject, c.Commitment, words.Uint64(c.NotBefore), words.Uint64(c.NotAfter), c.UseLimit, c.Uses, c.Status},
		r.State.Organisation, r.State.Custodian,
		CredentialState{p.Organisation, p.Roles, words.Uint64(p.NotBefore), words.Uint64(p.NotAfter), p.Status},
	}
}

func (r vectorRow) request() Request {
	q := r.Request
	return Request{
		q.Subject, q.Requester, q.Organisation, uint8(q.Role), uint8(q.Purpose), uint8(q.Category), q.Custodian, q.Record, q.Schema,
		words.Uint256(q.Fields),
	}
}

func TestVectors(t *testing.T) {
	var v struct{ Rows []vectorRow }
	vectors.Read(t, "decision", &v)
	seen := map[uint16]bool{}
	for _, r := range v.Rows {
		if max(r.Request.Role, r.Request.Purpose, r.Request.Category) > 255 {
			t.Errorf("%s: a number above a byte cannot reach the contract", r.Name)
		}
		given := Evaluate(r.state(), r.request(), r.Words, national.HMAC(r.Salt, r.Words), r.Time)
		expected := Answer{r.Expected.Outcome, r.Expected.Reason, words.Uint256(r.Expected.Fields)}
		if given != expected {
			t.Errorf("%s: %+v, not %+v", r.Name, given, expected)
		}
		seen[given.Reason] = true
	}
	for reason := range uint16(FieldsNotGranted + 1) {
		if !seen[reason] {
			t.Errorf("no row gives reason %d", reason)
		}
	}
}

// TestScopeVectors: every shape in the file is a scope; what is none is among the decision's rows.
func TestScopeVectors(t *testing.T) {
	var v struct {
		Salt  words.Word
		Valid []struct {
			Words      words.Bytes
			Commitment words.Word
		}
	}
	vectors.Read(t, "scope", &v)
	for _, r := range v.Valid {
		if _, shaped := parseScope(r.Words); !shaped {
			t.Errorf("no scope: %x", r.Words)
		}
		if national.HMAC(v.Salt, r.Words) != r.Commitment {
			t.Errorf("commitment of %x", r.Words)
		}
	}
	if len(v.Valid) == 0 {
		t.Error("no scope")
	}
}

func TestVocabularyIsTheFile(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "core", "vocabulary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Purposes, Categories, Roles []struct {
			N    int
			Code string
		}
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Purposes) != purposes || len(v.Categories) != categories || len(v.Roles) != Roles {
		t.Errorf("%d purposes, %d categories, %d roles", len(v.Purposes), len(v.Categories), len(v.Roles))
	}
	if v.Purposes[patrqt].Code != "PATRQT" || v.Purposes[patrqt].N != patrqt {
		t.Errorf("purpose %d is %+v", patrqt, v.Purposes[patrqt])
	}
}

// FuzzScope: whatever the words, reading them ends, and only what has the one shape counts.
func FuzzScope(f *testing.F) {
	var v struct{ Rows []vectorRow }
	vectors.Read(f, "decision", &v)
	for _, r := range v.Rows[:min(40, len(v.Rows))] {
		f.Add([]byte(r.Words))
	}
	f.Add([]byte{})
	row := v.Rows[0]
	f.Fuzz(func(t *testing.T, data []byte) {
		state := row.state()
		answer := Evaluate(state, row.request(), data, state.Consent.Commitment, row.Time)
		asked, granted := new(big.Int).SetBytes(row.Request.Fields[:]), new(big.Int).SetBytes(answer.Fields[:])
		if new(big.Int).AndNot(granted, asked).Sign() != 0 {
			t.Errorf("granted more than asked: %x", answer.Fields)
		}
		if s, shaped := parseScope(data); shaped && len(data) != 32*(fixedWords+s.custodians+s.records+2*s.masks) {
			t.Errorf("counts do not cover %d bytes", len(data))
		}
		if answer.Outcome == Permit && answer.Fields.IsZero() {
			t.Error("a permit of nothing")
		}
	})
}
