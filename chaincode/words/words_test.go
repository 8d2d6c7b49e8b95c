package words

import (
	"bytes"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"healthtrust/chaincode/internal/vectors"
)

type everything struct {
	Word    Word     `json:"word"`
	Address Address  `json:"address"`
	Bytes   Bytes    `json:"bytes"`
	Large   Uint256  `json:"large"`
	Long    Uint64   `json:"long"`
	Small   uint8    `json:"small"`
	Flag    bool     `json:"flag"`
	Text    string   `json:"text"`
	List    []uint16 `json:"list"`
}

type flat struct {
	Word    Word
	Address Address
	Small   uint32
	Flag    bool
	Bytes   Bytes
	Large   Uint256
}

const sample = `{"word":"0x0100000000000000000000000000000000000000000000000000000000000000",` +
	`"address":"0x0200000000000000000000000000000000000000","bytes":"0x","large":"300","long":"18446744073709551615",` +
	`"small":255,"flag":true,"text":"<&中>","list":[0,65535]}`

func TestJSONComesBack(t *testing.T) {
	var v everything
	if err := DecodeJSON([]byte(sample), &v); err != nil {
		t.Fatal(err)
	}
	if v.Word[0] != 1 || v.Address[0] != 2 || v.Large[30] != 1 || v.Large[31] != 44 || v.Long != 1<<64-1 || v.List[1] != 65535 {
		t.Errorf("%+v", v)
	}
	if made, err := EncodeJSON(v); err != nil || string(made) != sample {
		t.Errorf("%s %v", made, err)
	}
}

func TestJSONThatIsRefused(t *testing.T) {
	for _, change := range [][2]string{
		{`"small":255`, `"small":256`},
		{`"small":255`, `"small":2.0`},
		{`"small":255`, `"small":1e2`},
		{`"small":255`, `"small":-1`},
		{`"small":255`, `"small":"0255"`},
		{`"small":255`, `"small":true`},
		{`"small":255`, `"Small":255`},
		{`"small":255`, `"small":255,"small":255`},
		{`"small":255,`, ``},
		{`"long":"18446744073709551615"`, `"long":18446744073709551615`},
		{`"long":"18446744073709551615"`, `"long":"18446744073709551616"`},
		{`"long":"18446744073709551615"`, `"long":9007199254740993`},
		{`"large":"300"`, `"large":"0x12c"`},
		{`"large":"300"`, `"large":"` + new(big.Int).Lsh(big.NewInt(1), 256).String() + `"`},
		{`"large":"300"`, `"large":"` + strings.Repeat("9", 100) + `"`},
		{`"large":"300"`, `"large":""`},
		{`"flag":true`, `"flag":1`},
		{`"flag":true`, `"flag":null`},
		{`"text":"<&中>"`, `"text":1`},
		{`"list":[0,65535]`, `"list":{}`},
		{`"list":[0,65535]`, `"list":[65536]`},
		{`"bytes":"0x"`, `"bytes":"0X"`},
		{`"bytes":"0x"`, `"bytes":"0x0"`},
		{`"bytes":"0x"`, `"bytes":"0xAB"`},
		{`"bytes":"0x"`, `"bytes":""`},
		{`"bytes":"0x"`, `"bytes":[]`},
		{`0x02000`, `0x2000`},
		{`}`, `}}`},
		{`}`, ``},
		{`{`, `[`},
		{`"text":"<&中>"`, "\"text\":\"\xff\""},
	} {
		changed := strings.Replace(sample, change[0], change[1], 1)
		if changed == sample {
			t.Fatalf("%s is not there", change[0])
		}
		if err := DecodeJSON([]byte(changed), new(everything)); err == nil {
			t.Errorf("accepted: %s", change[1])
		}
	}
	if err := DecodeJSON([]byte(strings.Repeat("[", 100)), new(everything)); err == nil {
		t.Error("accepted a hundred arrays")
	}
}

func TestNumbersAsNumbersOrText(t *testing.T) {
	var v struct {
		N Uint64 `json:"n"`
		S uint32 `json:"s"`
	}
	for _, text := range []string{`{"n":9007199254740992,"s":7}`, `{"n":"9007199254740992","s":"7"}`} {
		if err := DecodeJSON([]byte(text), &v); err != nil || v.N != 1<<53 || v.S != 7 {
			t.Errorf("%s: %+v %v", text, v, err)
		}
	}
}

func TestABI(t *testing.T) {
	word, address := Kind("word"), Address{19: 7}
	encoded := EncodeABI(word, address, uint32(9), FromBool(true), Bytes("thirty-three bytes of a byte string"), FromUint64(5))
	var v flat
	if err := DecodeABI(append(encoded, 1, 2, 3), &v); err != nil {
		t.Fatal(err)
	}
	expected := flat{word, address, 9, true, Bytes("thirty-three bytes of a byte string"), Uint256(FromUint64(5))}
	if !reflect.DeepEqual(v, expected) {
		t.Errorf("%+v", v)
	}
	for name, change := range map[string]func([]byte){
		"an address with high bits": func(b []byte) { b[32] = 1 },
		"a number with high bits":   func(b []byte) { b[64] = 1 },
		"a number above its type":   func(b []byte) { b[64+27] = 1 },
		"a bool of 2":               func(b []byte) { b[96+31] = 2 },
		"an offset beyond the end":  func(b []byte) { b[128+30] = 9 },
		"a huge offset":             func(b []byte) { copy(b[128:160], bytes.Repeat([]byte{0xff}, 32)) },
		"a huge length":             func(b []byte) { copy(b[192:224], bytes.Repeat([]byte{0xff}, 32)) },
		"a length beyond the end":   func(b []byte) { b[192+31] = 200 },
	} {
		damaged := bytes.Clone(encoded)
		change(damaged)
		if DecodeABI(damaged, &v) == nil {
			t.Errorf("accepted %s", name)
		}
	}
	if DecodeABI(encoded[:100], &v) == nil {
		t.Error("accepted a part")
	}
}

func TestWordVectors(t *testing.T) {
	var v struct {
		Kinds []struct {
			Name string
			Word Word
		}
		Numbers []struct {
			Value string
			Word  Word
		}
	}
	vectors.Read(t, "words", &v)
	for _, k := range v.Kinds {
		if Kind(k.Name) != k.Word {
			t.Errorf("%s", k.Name)
		}
	}
	for _, n := range v.Numbers {
		var parsed Uint256
		if err := parsed.UnmarshalText([]byte(n.Value)); err != nil || Word(parsed) != n.Word {
			t.Errorf("%s", n.Value)
		}
	}
	if len(v.Kinds) == 0 || len(v.Numbers) == 0 {
		t.Error("no vectors")
	}
}

// FuzzJSON: reading ends, and what is accepted is written back as something that reads the same.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"word":"0x","address":null}`))
	f.Add([]byte(`[[[[[[[[[[1]]]]]]]]]]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second everything
		if DecodeJSON(data, &first) != nil {
			return
		}
		made, err := EncodeJSON(first)
		if err != nil {
			t.Fatal(err)
		}
		if err := DecodeJSON(made, &second); err != nil || !reflect.DeepEqual(first, second) {
			t.Errorf("%s became %s: %v", data, made, err)
		}
	})
}

// FuzzABI: reading ends, and what is accepted encodes to something that reads the same.
func FuzzABI(f *testing.F) {
	f.Add(EncodeABI(Kind("word"), Address{1}, uint32(9), FromBool(true), Bytes("bytes"), FromUint64(5)))
	f.Add(bytes.Repeat([]byte{0xff}, 256))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second flat
		if DecodeABI(data, &first) != nil {
			return
		}
		made := EncodeABI(first.Word, first.Address, first.Small, FromBool(first.Flag), first.Bytes, Word(first.Large))
		if err := DecodeABI(made, &second); err != nil || !reflect.DeepEqual(first, second) {
			t.Errorf("%x became %x: %v", data, made, err)
		}
	})
}
