package main

// #include <stddef.h>
// #include <stdint.h>
import "C"

import (
	"crypto/rand"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const (
	digestSize    = 32
	publicSize    = 64
	signatureSize = 64
	overhead      = 97 // of a cipher: 04, x, y, C3
)

// ht_sm2_public writes x‖y of a private key.
//
//export ht_sm2_public
func ht_sm2_public(private *C.uint8_t, privateSize C.size_t, out *C.uint8_t, outSize C.size_t) (code C.int32_t) {
	defer caught(&code)
	key, ok := privateKey(view(private, privateSize))
	if !ok || outSize != publicSize {
		return malformed
	}
	xy := view(out, outSize)
	key.X.FillBytes(xy[:32])
	key.Y.FillBytes(xy[32:])
	return done
}

// ht_sm2_sign writes r‖s over the digest e = SM3(Z ‖ message).
//
//export ht_sm2_sign
func ht_sm2_sign(
	private *C.uint8_t, privateSize C.size_t, digest *C.uint8_t, size C.size_t, out *C.uint8_t, outSize C.size_t,
) (code C.int32_t) {
	defer caught(&code)
	key, ok := privateKey(view(private, privateSize))
	if !ok || size != digestSize || outSize != signatureSize {
		return malformed
	}
	der, err := key.Sign(rand.Reader, view(digest, size), nil)
	if err != nil || !writeNumbers(der, view(out, outSize)) {
		return failed
	}
	return done
}

// ht_sm2_verify tells whether r‖s holds for the digest e = SM3(Z ‖ message).
//
//export ht_sm2_verify
func ht_sm2_verify(
	public *C.uint8_t, publicSize C.size_t, digest *C.uint8_t, size C.size_t, signature *C.uint8_t, ofSize C.size_t,
) (code C.int32_t) {
	defer caught(&code)
	key, ok := publicKey(view(public, publicSize))
	if !ok || size != digestSize || ofSize != signatureSize {
		return malformed
	}
	numbers := view(signature, ofSize)
	r, s := new(big.Int).SetBytes(numbers[:32]), new(big.Int).SetBytes(numbers[32:])
	if !sm2.Verify(key, view(digest, size), r, s) {
		return refused
	}
	return done
}

// ht_sm2_encrypt writes 04‖x‖y‖C3‖C2 of at least one byte.
//
//export ht_sm2_encrypt
func ht_sm2_encrypt(
	public *C.uint8_t, publicSize C.size_t, plain *C.uint8_t, size C.size_t, out *C.uint8_t, outSize C.size_t,
) (code C.int32_t) {
	defer caught(&code)
	key, ok := publicKey(view(public, publicSize))
	if !ok || size == 0 || outSize != size+overhead {
		return malformed
	}
	cipher, err := sm2.Encrypt(rand.Reader, key, view(plain, size), nil)
	if err != nil || copy(view(out, outSize), cipher) != len(cipher) {
		return failed
	}
	return done
}

// ht_sm2_decrypt writes the plain bytes of 04‖x‖y‖C3‖C2, overhead fewer than the cipher has.
//
//export ht_sm2_decrypt
func ht_sm2_decrypt(
	private *C.uint8_t, privateSize C.size_t, cipher *C.uint8_t, size C.size_t, out *C.uint8_t, outSize C.size_t,
) (code C.int32_t) {
	defer caught(&code)
	key, ok := privateKey(view(private, privateSize))
	if !ok || size != outSize+overhead {
		return malformed
	}
	plain, err := sm2.Decrypt(key, view(cipher, size))
	if err != nil || copy(view(out, outSize), plain) != int(outSize) {
		return refused
	}
	return done
}

// writeNumbers writes r‖s of a DER signature.
func writeNumbers(der, out []byte) bool {
	var r, s big.Int
	var inner cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !inner.ReadASN1Integer(&r) || !inner.ReadASN1Integer(&s) || !inner.Empty() {
		return false
	}
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return true
}
