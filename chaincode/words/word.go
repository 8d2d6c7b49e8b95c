// Package words holds the values that contracts take and store, as docs/ledger.md writes them: words, addresses, byte strings
// and unsigned numbers, with one strict text form each.
package words

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// Word is 32 bytes: an id, a key coordinate, a root, a digest. Its text is 0x and 64 lower-case hex digits.
type Word [32]byte

// Address is 20 bytes: an account or a contract. Its text is 0x and 40 lower-case hex digits.
type Address [20]byte

// Bytes is a byte string of any length. Its text is 0x and lower-case hex digits.
type Bytes []byte

var errNotHex = errors.New("not lower-case hex with 0x")

// Kind is an ASCII name padded with zero bytes to a word. Names longer than a word are a mistake of the programmer and panic.
func Kind(name string) (w Word) {
	if len(name) > len(w) {
		panic("a kind word has at most 32 bytes: " + name)
	}
	copy(w[:], name)
	return w
}

// FromUint64 is a number as a word.
func FromUint64(n uint64) (w Word) {
	binary.BigEndian.PutUint64(w[24:], n)
	return w
}

// FromBool is 1 or 0 as a word.
func FromBool(b bool) Word {
	if b {
		return FromUint64(1)
	}
	return Word{}
}

// Low64 is the number in the last eight bytes.
func (w Word) Low64() uint64 { return binary.BigEndian.Uint64(w[24:]) }

// IsZero tells whether all bytes are zero.
func (w Word) IsZero() bool { return w == Word{} }

// Address is the word's last 20 bytes.
func (w Word) Address() (a Address) {
	copy(a[:], w[12:])
	return a
}

// IsZero tells whether all bytes are zero.
func (a Address) IsZero() bool { return a == Address{} }

// Word is the address left-padded to a word.
func (a Address) Word() (w Word) {
	copy(w[12:], a[:])
	return w
}

// Hex is the word without 0x, for keys.
func (w Word) Hex() string { return hex.EncodeToString(w[:]) }

// Hex is the address without 0x, for keys.
func (a Address) Hex() string { return hex.EncodeToString(a[:]) }

// MarshalText implements encoding.TextMarshaler.
func (w Word) MarshalText() ([]byte, error) { return toHex(w[:]), nil }

// MarshalText implements encoding.TextMarshaler.
func (a Address) MarshalText() ([]byte, error) { return toHex(a[:]), nil }

// MarshalText implements encoding.TextMarshaler.
func (b Bytes) MarshalText() ([]byte, error) { return toHex(b), nil }

// UnmarshalText implements encoding.TextUnmarshaler; anything but the one form is refused.
func (w *Word) UnmarshalText(text []byte) error { return exactHex(w[:], text) }

// UnmarshalText implements encoding.TextUnmarshaler; anything but the one form is refused.
func (a *Address) UnmarshalText(text []byte) error { return exactHex(a[:], text) }

// UnmarshalText implements encoding.TextUnmarshaler; anything but the one form is refused.
func (b *Bytes) UnmarshalText(text []byte) error {
	if len(text) < 2 || len(text)%2 != 0 {
		return errNotHex
	}
	made := make([]byte, len(text)/2-1)
	if err := exactHex(made, text); err != nil {
		return err
	}
	*b = made
	return nil
}

func toHex(data []byte) []byte {
	return hex.AppendEncode([]byte("0x"), data)
}

func exactHex(into, text []byte) error {
	if len(text) < 2 || text[0] != '0' || text[1] != 'x' {
		return errNotHex
	}
	if len(text) != 2+2*len(into) {
		return fmt.Errorf("not %d bytes", len(into))
	}
	for _, c := range text[2:] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return errNotHex
		}
	}
	_, err := hex.Decode(into, text[2:])
	return err
}
