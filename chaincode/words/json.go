package words

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"unicode/utf8"
)

const deepest = 8

// DecodeJSON reads one JSON value into a struct or slice made of the types of this package, native unsigned numbers, bool and
// string. Strict: every member must be there once and no other, numbers may be JSON numbers up to 2^53 or decimal text, bytes
// have one form, nothing may follow.
func DecodeJSON(data []byte, into any) error {
	if !utf8.Valid(data) {
		return errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	tree, err := parse(d, 0)
	if err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	return fill(reflect.ValueOf(into).Elem(), tree)
}

func parse(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, errors.New("not JSON")
	}
	open, nested := token.(json.Delim)
	if !nested {
		return token, nil
	}
	if depth == deepest {
		return nil, errors.New("nested too deeply")
	}
	if open == '[' {
		return parseArray(d, depth)
	}
	return parseObject(d, depth)
}

func parseArray(d *json.Decoder, depth int) (any, error) {
	items := []any{}
	for d.More() {
		item, err := parse(d, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, closing(d)
}

func parseObject(d *json.Decoder, depth int) (any, error) {
	members := map[string]any{}
	for d.More() {
		token, err := d.Token()
		name, isText := token.(string)
		if err != nil || !isText {
			return nil, errors.New("not JSON")
		}
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("%q is there twice", name)
		}
		if members[name], err = parse(d, depth+1); err != nil {
			return nil, err
		}
	}
	return members, closing(d)
}

func closing(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return errors.New("not JSON")
	}
	return nil
}

func fill(into reflect.Value, node any) error {
	switch target := into.Addr().Interface().(type) {
	case *Uint64, *Uint256:
		return fillText(target.(encoding.TextUnmarshaler), decimal(node))
	case encoding.TextUnmarshaler:
		return fillText(target, node)
	case *string, *bool:
		return fillPlain(into, node)
	}
	switch into.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return fillNumber(into, decimal(node))
	case reflect.Slice:
		return fillSlice(into, node)
	case reflect.Struct:
		return fillStruct(into, node)
	default:
		return fmt.Errorf("no text form for %s", into.Type())
	}
}

// decimal is the text of a number that every JSON reader reads alike, or the node itself.
func decimal(node any) any {
	number, isNumber := node.(json.Number)
	if !isNumber {
		return node
	}
	if n, err := ParseUint(number.String(), 64); err != nil || n > 1<<53 {
		return nil
	}
	return number.String()
}

func fillText(into encoding.TextUnmarshaler, node any) error {
	text, isText := node.(string)
	if !isText {
		return errors.New("of another type")
	}
	return into.UnmarshalText([]byte(text))
}

func fillPlain(into reflect.Value, node any) error {
	value := reflect.ValueOf(node)
	if !value.IsValid() || value.Type() != into.Type() {
		return fmt.Errorf("no %s", into.Type())
	}
	into.Set(value)
	return nil
}

func fillNumber(into reflect.Value, node any) error {
	text, isText := node.(string)
	if !isText {
		return errNotDecimal
	}
	n, err := ParseUint(text, into.Type().Bits())
	into.SetUint(n)
	return err
}

func fillSlice(into reflect.Value, node any) error {
	items, isArray := node.([]any)
	if !isArray {
		return errors.New("no array")
	}
	into.Set(reflect.MakeSlice(into.Type(), len(items), len(items)))
	for i, item := range items {
		if err := fill(into.Index(i), item); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return nil
}

func fillStruct(into reflect.Value, node any) error {
	members, isObject := node.(map[string]any)
	if !isObject {
		return errors.New("no object")
	}
	for i := range into.NumField() {
		name := into.Type().Field(i).Tag.Get("json")
		member, there := members[name]
		if !there {
			return fmt.Errorf("%s is missing", name)
		}
		if err := fill(into.Field(i), member); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(members) != into.NumField() {
		return errors.New("there are unknown members")
	}
	return nil
}

// EncodeJSON writes a value in one form: members in their order, no escapes but those JSON needs, no blanks.
func EncodeJSON(value any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
