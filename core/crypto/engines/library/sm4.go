package main

// #include <stddef.h>
// #include <stdint.h>
import "C"

import (
	"crypto/cipher"

	"github.com/emmansun/gmsm/sm4"
)

const tagSize = 16

// ht_sm4_seal writes SM4-GCM ciphertext and tag.
//
//export ht_sm4_seal
func ht_sm4_seal(
	key *C.uint8_t, keySize C.size_t, iv *C.uint8_t, ivSize C.size_t, plain *C.uint8_t, size C.size_t,
	aad *C.uint8_t, aadSize C.size_t, out *C.uint8_t, outSize C.size_t,
) (code C.int32_t) {
	defer caught(&code)
	gcm, ok := gcmOf(view(key, keySize), view(iv, ivSize))
	if !ok || outSize != size+tagSize {
		return malformed
	}
	gcm.Seal(view(out, outSize)[:0], view(iv, ivSize), view(plain, size), view(aad, aadSize))
	return done
}

// ht_sm4_open writes what ciphertext and tag hold.
//
//export ht_sm4_open
func ht_sm4_open(
	key *C.uint8_t, keySize C.size_t, iv *C.uint8_t, ivSize C.size_t, sealed *C.uint8_t, size C.size_t,
	aad *C.uint8_t, aadSize C.size_t, out *C.uint8_t, outSize C.size_t,
) (code C.int32_t) {
	defer caught(&code)
	gcm, ok := gcmOf(view(key, keySize), view(iv, ivSize))
	if !ok || size != outSize+tagSize {
		return malformed
	}
	if _, err := gcm.Open(view(out, outSize)[:0], view(iv, ivSize), view(sealed, size), view(aad, aadSize)); err != nil {
		return refused
	}
	return done
}

func gcmOf(key, iv []byte) (cipher.AEAD, bool) {
	block, err := sm4.NewCipher(key)
	if err != nil {
		return nil, false
	}
	gcm, err := cipher.NewGCM(block)
	return gcm, err == nil && len(iv) == gcm.NonceSize()
}
