package words

import (
	"encoding/binary"
	"errors"
	"math/big"
	"strconv"
)

// Uint64 is a number whose text in answers and events is decimal, so that no JSON reader rounds it.
type Uint64 uint64

// Uint256 is a big-endian number of 32 bytes: a packed word or a field mask. Its text is decimal.
type Uint256 [32]byte

var errNotDecimal = errors.New("not a decimal number")

// MarshalText implements encoding.TextMarshaler.
func (n Uint64) MarshalText() ([]byte, error) { return strconv.AppendUint(nil, uint64(n), 10), nil }

// UnmarshalText implements encoding.TextUnmarshaler; leading zeros and signs are refused.
func (n *Uint64) UnmarshalText(text []byte) error {
	parsed, err := ParseUint(string(text), 64)
	*n = Uint64(parsed)
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (n Uint256) MarshalText() ([]byte, error) {
	return new(big.Int).SetBytes(n[:]).Append(nil, 10), nil
}

// UnmarshalText implements encoding.TextUnmarshaler; leading zeros and signs are refused.
func (n *Uint256) UnmarshalText(text []byte) error {
	const longest = 78 // decimal digits of 2^256 - 1
	if !isDecimal(string(text)) || len(text) > longest {
		return errNotDecimal
	}
	value, _ := new(big.Int).SetString(string(text), 10)
	if value.BitLen() > 256 {
		return errors.New("above 256 bits")
	}
	value.FillBytes(n[:])
	return nil
}

// ParseUint reads a decimal number of at most that many bits in its one form.
func ParseUint(text string, bits int) (uint64, error) {
	if !isDecimal(text) {
		return 0, errNotDecimal
	}
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return 0, errors.New("above " + strconv.Itoa(bits) + " bits")
	}
	return n, nil
}

// IsZero tells whether the number is 0.
func (n Uint256) IsZero() bool { return n == Uint256{} }

// Has tells whether a bit is set; bit 0 is the lowest.
func (n Uint256) Has(bit uint8) bool { return n[31-bit/8]>>(bit%8)&1 == 1 }

// And is the bits set in both.
func (n Uint256) And(other Uint256) (both Uint256) {
	for i := range n {
		both[i] = n[i] & other[i]
	}
	return both
}

// Uint64At is the 64-bit number that starts at a byte offset from the left.
func (n Uint256) Uint64At(offset int) uint64 { return binary.BigEndian.Uint64(n[offset:]) }

// Uint32At is the 32-bit number that starts at a byte offset from the left.
func (n Uint256) Uint32At(offset int) uint32 { return binary.BigEndian.Uint32(n[offset:]) }

func isDecimal(text string) bool {
	if text == "" || (text[0] == '0' && len(text) > 1) {
		return false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
