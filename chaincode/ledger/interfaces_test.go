package ledger

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"healthtrust/chaincode/words"
)

// interfaces is the Solidity side of every contract: tests hold each answer, event and refusal against it.
type interfaces struct {
	functions map[string]abiItem
	names     map[string]map[string]abiItem // "event" or "error" → "<Contract>.<name>"
}

type abiItem struct {
	Type            string     `json:"type"`
	Name            string     `json:"name"`
	StateMutability string     `json:"stateMutability"`
	Inputs          []abiParam `json:"inputs"`
	Outputs         []abiParam `json:"outputs"`
}

type abiParam struct {
	Name       string     `json:"name"`
	Type       string     `json:"type"`
	Components []abiParam `json:"components"`
}

type seenRefusal struct {
	Name string `json:"error"`
	Args object `json:"args"`
}

func (r *seenRefusal) String() string { return fmt.Sprintf("%s%v", r.Name, r.Args) }

var ownErrors = map[string]bool{
	errInvalidArgument: true, errClockDisagrees: true, errNotFounded: true, errAlreadyFounded: true, errForeignCall: true,
	errInternal: true, errRevertedWithoutData: true,
}

func readInterfaces(t testing.TB) *interfaces {
	t.Helper()
	i := &interfaces{map[string]abiItem{}, map[string]map[string]abiItem{"event": {}, "error": {}}}
	governed := abiOf(t, "Governed")
	for _, contract := range contracts {
		for _, item := range append(abiOf(t, "I"+contract), governed...) {
			i.add(contract, item)
		}
	}
	return i
}

func abiOf(t testing.TB, name string) []abiItem {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "contracts", "artifacts", name+".json"))
	if err != nil {
		t.Fatalf("%v (python -m contracts.script.compile builds it)", err)
	}
	var artifact struct{ Abi []abiItem }
	if err := json.Unmarshal(data, &artifact); err != nil {
		t.Fatal(err)
	}
	return artifact.Abi
}

func (i *interfaces) add(contract string, item abiItem) {
	name := contract + "." + item.Name
	if item.Type == "function" {
		i.functions[name] = item
	} else if kind, named := i.names[item.Type]; named {
		kind[name] = item
	}
}

// refusal reads an error and holds it against the contracts: a vote can carry a refusal of any of them.
func (i *interfaces) refusal(t testing.TB, method, text string) *seenRefusal {
	t.Helper()
	var r seenRefusal
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%q is no refusal: %v", text, err)
	}
	if ownErrors[r.Name] {
		return &r
	}
	contract, _, _ := strings.Cut(method, ".")
	candidates := append([]string{contract}, contracts...)
	for _, c := range candidates {
		if item, there := i.names["error"][c+"."+r.Name]; there {
			holds(t, c+"."+r.Name, item.Inputs, r.Args)
			return &r
		}
	}
	t.Fatalf("%s: no contract has the error %s", method, r.Name)
	return nil
}

// events reads a transaction's events and holds each against its contract.
func (i *interfaces) events(t testing.TB, payload []byte) []seenEvent {
	t.Helper()
	var events []seenEvent
	if payload == nil {
		return nil
	}
	if err := json.Unmarshal(payload, &events); err != nil || len(events) == 0 {
		t.Fatalf("%q is no list of events: %v", payload, err)
	}
	for _, e := range events {
		item, there := i.names["event"][e.Contract+"."+e.Name]
		if !there {
			t.Fatalf("there is no event %s.%s", e.Contract, e.Name)
		}
		holds(t, e.Contract+"."+e.Name, item.Inputs, e.Args)
	}
	return events
}

// answer holds a method's answer against its outputs.
func (i *interfaces) answer(t testing.TB, method string, payload []byte) {
	t.Helper()
	var value any
	if err := json.Unmarshal(payload, &value); err != nil {
		t.Fatalf("%s answered %q: %v", method, payload, err)
	}
	outputs := i.functions[method].Outputs
	switch {
	case method == "Alliance.found":
		shaped(t, method, abiParam{Type: "bytes32"}, value)
	case len(outputs) == 0:
		if value != nil {
			t.Fatalf("%s answered %s", method, payload)
		}
	case len(outputs) == 1:
		shaped(t, method, outputs[0], value)
	default:
		members, _ := value.(object)
		holds(t, method, outputs, members)
	}
}

// holds compares named values with parameters: the same names, each in the text form of its type.
func holds(t testing.TB, what string, params []abiParam, given object) {
	t.Helper()
	if len(params) != len(given) {
		t.Fatalf("%s has %v, not %v", what, params, given)
	}
	for _, p := range params {
		value, there := given[p.Name]
		if !there {
			t.Fatalf("%s lacks %s: %v", what, p.Name, given)
		}
		shaped(t, what+"."+p.Name, p, value)
	}
}

var (
	decimalText = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)
	hexText     = regexp.MustCompile(`^0x([0-9a-f]{2})*$`)
)

func shaped(t testing.TB, what string, p abiParam, value any) {
	t.Helper()
	if item, isList := strings.CutSuffix(p.Type, "[]"); isList {
		list, isArray := value.([]any)
		for _, v := range list {
			shaped(t, what, abiParam{p.Name, item, p.Components}, v)
		}
		if !isArray {
			t.Fatalf("%s: %v is no array", what, value)
		}
		return
	}
	if p.Type == "tuple" {
		members, _ := value.(object)
		holds(t, what, p.Components, members)
		return
	}
	if !fits(p.Type, value) {
		t.Fatalf("%s: %v is no %s", what, value, p.Type)
	}
}

func fits(kind string, value any) bool {
	text, isText := value.(string)
	_, isNumber := value.(float64)
	_, isBool := value.(bool)
	switch kind {
	case "bytes32":
		return hexText.MatchString(text) && len(text) == 66
	case "address":
		return hexText.MatchString(text) && len(text) == 42
	case "bytes":
		return hexText.MatchString(text)
	case "string":
		return isText
	case "bool":
		return isBool
	case "uint8", "uint16", "uint32":
		return isNumber
	case "uint64", "uint256":
		return decimalText.MatchString(text)
	default:
		return false
	}
}

// TestTableIsTheInterfaces: the same methods, the same arguments in the same order, reading or writing alike.
func TestTableIsTheInterfaces(t *testing.T) {
	i := readInterfaces(t)
	here := []string{}
	for name, m := range methods {
		if m.name == foundMethod {
			continue
		}
		item, there := i.functions[name]
		if !there {
			t.Errorf("no contract has %s", name)
			continue
		}
		here = append(here, name)
		if reads := item.StateMutability == "view" || item.StateMutability == "pure"; reads != m.readOnly {
			t.Errorf("%s: reads only: %v", name, reads)
		}
		if given, expected := paramsOf(m), without(item, "scopeWords", "salt"); given != expected {
			t.Errorf("%s takes %s, not %s", name, expected, given)
		}
	}
	for name := range i.functions {
		if _, there := methods[name]; !there {
			t.Errorf("%s is missing", name)
		}
	}
	if len(here) < 70 {
		t.Errorf("only %d methods compared", len(here))
	}
}

func paramsOf(m method) string {
	listed := []string{}
	for i, kind := range words.ABITypes(m.args) {
		listed = append(listed, kind+" "+m.args.Field(i).Tag.Get("json"))
	}
	return strings.Join(listed, ", ")
}

// without is a function's parameters less what travels in the transient map.
func without(item abiItem, left ...string) string {
	listed := []string{}
	for _, p := range item.Inputs {
		if !contains(left, p.Name) {
			listed = append(listed, typeOf(p, left)+" "+p.Name)
		}
	}
	return strings.Join(listed, ", ")
}

func typeOf(p abiParam, left []string) string {
	if !strings.HasPrefix(p.Type, "tuple") {
		return p.Type
	}
	kinds := []string{}
	for _, c := range p.Components {
		if !contains(left, c.Name) {
			kinds = append(kinds, typeOf(c, left))
		}
	}
	return "(" + strings.Join(kinds, ",") + ")" + strings.TrimPrefix(p.Type, "tuple")
}

func contains(list []string, wanted string) bool {
	for _, item := range list {
		if item == wanted {
			return true
		}
	}
	return false
}

// TestNamesAreThose: every event and error of the contracts is a name here, and no other is.
func TestNamesAreThose(t *testing.T) {
	i := readInterfaces(t)
	source, err := os.ReadFile("names.go")
	if err != nil {
		t.Fatal(err)
	}
	for kind, pattern := range map[string]string{"event": `event\w+ += "(\w+)"`, "error": `err\w+ += "(\w+)"`} {
		expected := map[string]bool{}
		for name := range i.names[kind] {
			_, short, _ := strings.Cut(name, ".")
			expected[short] = true
		}
		delete(expected, "PrecompileRefused") // there are no precompiles here
		for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1) {
			if !expected[found[1]] && !ownErrors[found[1]] {
				t.Errorf("no contract has the %s %s", kind, found[1])
			}
			delete(expected, found[1])
		}
		for _, missing := range keysOf(expected) {
			t.Errorf("the %s %s is missing", kind, missing)
		}
	}
}

func keysOf(m map[string]bool) []string {
	keys := []string{}
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
