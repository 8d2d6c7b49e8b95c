package words

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// The part of Ethereum's contract ABI that votes carry (gateway/ledger/actions.py): words, addresses, numbers, bool and byte
// strings, as members of one struct. A proposal's arguments are the same bytes on every ledger.

var errNotABI = errors.New("not the ABI encoding of these types")

// DecodeABI reads the arguments of a call into the members of a struct, in order. As in Solidity, bytes may follow, and a number
// or address with bits beyond its type is refused.
func DecodeABI(data []byte, into any) error {
	members := reflect.ValueOf(into).Elem()
	for i := range members.NumField() {
		if len(data) < 32*(i+1) {
			return errNotABI
		}
		if err := fillABI(members.Field(i), Word(data[32*i:32*i+32]), data); err != nil {
			return err
		}
	}
	return nil
}

func fillABI(into reflect.Value, head Word, data []byte) error {
	switch target := into.Addr().Interface().(type) {
	case *Word:
		*target = head
	case *Uint256:
		*target = Uint256(head)
	case *Address:
		*target = head.Address()
		if target.Word() != head {
			return errNotABI
		}
	case *Bytes:
		return tailABI(target, head, data)
	case *bool:
		*target = head == FromUint64(1)
		if !*target && !head.IsZero() {
			return errNotABI
		}
	default:
		return numberABI(into, head)
	}
	return nil
}

func numberABI(into reflect.Value, head Word) error {
	if !into.CanUint() {
		return errNotABI
	}
	n := head.Low64()
	if FromUint64(n) != head || into.OverflowUint(n) {
		return errNotABI
	}
	into.SetUint(n)
	return nil
}

func tailABI(into *Bytes, head Word, data []byte) error {
	offset := head.Low64()
	if FromUint64(offset) != head || offset > uint64(len(data)) || uint64(len(data))-offset < 32 {
		return errNotABI
	}
	tail := data[offset:]
	length := Word(tail[:32])
	n := length.Low64()
	if FromUint64(n) != length || n > uint64(len(tail)-32) {
		return errNotABI
	}
	*into = append(Bytes{}, tail[32:32+n]...)
	return nil
}

// EncodeABI is the inverse of DecodeABI for words, addresses, uint32 and byte strings.
func EncodeABI(values ...any) []byte {
	head, tail := []byte{}, []byte{}
	for _, value := range values {
		var w Word
		switch v := value.(type) {
		case Word:
			w = v
		case Address:
			w = v.Word()
		case uint32:
			w = FromUint64(uint64(v))
		case Bytes:
			w = FromUint64(uint64(32*len(values) + len(tail)))
			tail = append(tail, encodeTail(v)...)
		default:
			panic(fmt.Sprintf("no ABI encoding for %T", value))
		}
		head = append(head, w[:]...)
	}
	return append(head, tail...)
}

func encodeTail(b Bytes) []byte {
	padded := make([]byte, 32+(len(b)+31)/32*32)
	binary.BigEndian.PutUint64(padded[24:], uint64(len(b)))
	copy(padded[32:], b)
	return padded
}

// ABIType is the Solidity name of a type, and whether DecodeABI reads it as a member of a call's arguments.
func ABIType(t reflect.Type) (name string, flat bool) {
	switch reflect.Zero(t).Interface().(type) {
	case Word:
		return "bytes32", true
	case Address:
		return "address", true
	case Bytes:
		return "bytes", true
	case Uint256:
		return "uint256", true
	case Uint64:
		return "uint64", true
	}
	switch t.Kind() {
	case reflect.Slice:
		item, _ := ABIType(t.Elem())
		return item + "[]", false
	case reflect.Struct:
		return "(" + strings.Join(ABITypes(t), ",") + ")", false
	default:
		return t.Kind().String(), t.Kind() != reflect.String
	}
}

// ABITypes are the Solidity names of a struct's members.
func ABITypes(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _ = ABIType(t.Field(i).Type)
	}
	return names
}
