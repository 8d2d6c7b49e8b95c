// Command gmsm prints, as one JSON object, how often a second gmsm (Go, with assembly) does what benches/crypto.py measures.
package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"os"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"

	stdcipher "crypto/cipher"
)

func rate(work func()) float64 {
	work()
	count, began := 0, time.Now()
	for time.Since(began) < 300*time.Millisecond {
		for range 16 {
			work()
		}
		count += 16
	}
	return float64(count) / time.Since(began).Seconds()
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func verify(public *ecdsa.PublicKey, message, signature []byte) {
	if !sm2.VerifyASN1WithSM2(public, nil, message, signature) {
		panic("a good signature does not hold")
	}
}

func main() {
	key := must(sm2.GenerateKey(rand.Reader))
	message := make([]byte, 128)
	signature := must(key.SignWithSM2(rand.Reader, nil, message))
	sealed := must(sm2.EncryptASN1(rand.Reader, &key.PublicKey, make([]byte, 16)))
	kilobyte, nonce := make([]byte, 1024), make([]byte, 12)
	gcm := must(stdcipher.NewGCM(must(sm4.NewCipher(make([]byte, 16)))))
	out := make([]byte, 0, 2048)
	found := map[string]float64{
		"SM2 signatures":            rate(func() { must(key.SignWithSM2(rand.Reader, nil, message)) }),
		"SM2 verifications":         rate(func() { verify(&key.PublicKey, message, signature) }),
		"SM2 decryptions, 16 bytes": rate(func() { must(sm2.Decrypt(key, sealed)) }),
		"SM3, 1 KiB":                rate(func() { sm3.Sum(kilobyte) }),
		"SM4-GCM, 1 KiB":            rate(func() { gcm.Seal(out, nonce, kilobyte, nil) }),
	}
	_ = json.NewEncoder(os.Stdout).Encode(found)
}
