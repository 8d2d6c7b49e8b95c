package national

import (
	"crypto/ecdsa"
	"math/big"

	"github.com/emmansun/gmsm/sm2"

	"healthtrust/chaincode/words"
)

// UserID is the identity that every signature here is made under.
const UserID = "1234567812345678"

var zPrefix = makeZPrefix()

// Verify tells whether r‖s is a signature by the key (x, y) of the digest e = SM3(Z ‖ message); false for any malformed input.
func Verify(e, r, s, x, y words.Word) bool {
	key, err := publicKey(x, y)
	if err != nil {
		return false
	}
	return sm2.Verify(key, e[:], number(r), number(s))
}

// VerifyMessage verifies over SM3(z ‖ message), and returns that digest.
func VerifyMessage(z words.Word, message []byte, r, s, x, y words.Word) (valid bool, e words.Word) {
	e = Hash(z[:], message)
	return Verify(e, r, s, x, y), e
}

// ZOf is Z of a key under UserID (GB/T 32918.2, 5.5), for any two words.
func ZOf(x, y words.Word) words.Word { return Hash(zPrefix, x[:], y[:]) }

// OnCurve tells whether (x, y) is a point of the curve other than infinity, with both coordinates below p.
func OnCurve(x, y words.Word) bool {
	_, err := publicKey(x, y)
	return err == nil
}

func publicKey(x, y words.Word) (*ecdsa.PublicKey, error) {
	point := make([]byte, 1, 65)
	point[0] = 4
	point = append(append(point, x[:]...), y[:]...)
	return sm2.NewPublicKey(point)
}

func number(w words.Word) *big.Int { return new(big.Int).SetBytes(w[:]) }

// makeZPrefix is ENTL ‖ ID ‖ a ‖ b ‖ Gx ‖ Gy; a = p - 3 on this curve.
func makeZPrefix() []byte {
	curve := sm2.P256().Params()
	prefix := append([]byte{0, 8 * byte(len(UserID))}, UserID...)
	a := new(big.Int).Sub(curve.P, big.NewInt(3))
	for _, number := range []*big.Int{a, curve.B, curve.Gx, curve.Gy} {
		prefix = append(prefix, number.FillBytes(make([]byte, 32))...)
	}
	return prefix
}
