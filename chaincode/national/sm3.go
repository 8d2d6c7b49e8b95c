// Package national has the Chinese national algorithms in the form the ledger needs them: SM3 (GB/T 32905), HMAC-SM3 and SM2
// signatures (GB/T 32918.2) over words. It answers as contracts/src/SM2Verifier.sol does.
package national

import (
	"crypto/hmac"

	"github.com/emmansun/gmsm/sm3"

	"healthtrust/chaincode/words"
)

// Hash is SM3 of the parts one after the other.
func Hash(parts ...[]byte) (digest words.Word) {
	h := sm3.New()
	for _, part := range parts {
		h.Write(part)
	}
	h.Sum(digest[:0])
	return digest
}

// HMAC is HMAC-SM3 under a key of one word.
func HMAC(key words.Word, message []byte) (mac words.Word) {
	h := hmac.New(sm3.New, key[:])
	h.Write(message)
	h.Sum(mac[:0])
	return mac
}
