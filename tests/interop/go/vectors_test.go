// Package interop checks the shared vectors with an independent Go implementation of the national algorithms (emmansun/gmsm),
// and writes signatures and ciphers of its own for the Python side to check.
package interop

import (
	"bytes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

type row map[string]string

func read(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "shared", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func raw(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func public(t *testing.T, xy []byte) *ecdsa.PublicKey {
	t.Helper()
	key, err := sm2.NewPublicKey(append([]byte{4}, xy...))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func verifies(key *ecdsa.PublicKey, uid, message, signature []byte) bool {
	if len(signature) != 64 {
		return false
	}
	digest, err := sm2.CalculateSM2Hash(key, message, uid)
	if err != nil {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	return sm2.Verify(key, digest, r, s)
}

func TestSM3(t *testing.T) {
	var v struct{ Examples, Lengths, Hmac []row }
	read(t, "sm3", &v)
	for _, r := range append(v.Examples, v.Lengths...) {
		if sum := sm3.Sum(raw(t, r["message"])); hex.EncodeToString(sum[:]) != r["digest"] {
			t.Errorf("SM3 of %s", r["message"])
		}
	}
	for _, r := range v.Hmac {
		mac := hmac.New(sm3.New, raw(t, r["key"]))
		mac.Write(raw(t, r["message"]))
		if hex.EncodeToString(mac.Sum(nil)) != r["mac"] {
			t.Errorf("HMAC under %s", r["key"])
		}
	}
}

func TestSM4(t *testing.T) {
	var v struct {
		Block    row
		Gcm, Ctr []row
	}
	read(t, "sm4", &v)
	block := func(r row) cipher.Block {
		b, err := sm4.NewCipher(raw(t, r["key"]))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	out := make([]byte, 16)
	block(v.Block).Encrypt(out, raw(t, v.Block["plain"]))
	if hex.EncodeToString(out) != v.Block["cipher"] {
		t.Error("block")
	}
	for i, r := range v.Gcm {
		aead, err := cipher.NewGCM(block(r))
		if err != nil {
			t.Fatal(err)
		}
		if made := aead.Seal(nil, raw(t, r["iv"]), raw(t, r["plain"]), raw(t, r["aad"])); hex.EncodeToString(made) != r["cipher"] {
			t.Errorf("GCM %d", i)
		}
	}
	for i, r := range v.Ctr {
		made := make([]byte, len(r["plain"])/2)
		cipher.NewCTR(block(r), raw(t, r["iv"])).XORKeyStream(made, raw(t, r["plain"]))
		if hex.EncodeToString(made) != r["cipher"] {
			t.Errorf("CTR %d", i)
		}
	}
}

func TestSM2(t *testing.T) {
	var v struct {
		Example                         row
		Signatures, Invalid, Encryption []row
		BadPublicKeys, BadDer           []row
		BadCiphers                      []row
	}
	read(t, "sm2", &v)
	v.Example["uid"] = hex.EncodeToString([]byte("1234567812345678"))
	for i, r := range append(v.Signatures, v.Example) {
		key, message, uid := public(t, raw(t, r["public"])), raw(t, r["message"]), raw(t, r["uid"])
		if !verifies(key, uid, message, raw(t, r["signature"])) {
			t.Errorf("signature %d does not verify", i)
		}
		if verifies(key, append(uid, 'x'), message, raw(t, r["signature"])) {
			t.Errorf("signature %d verifies for another user id", i)
		}
		if der := r["der"]; der != "" && !sm2.VerifyASN1WithSM2(key, uid, message, raw(t, der)) {
			t.Errorf("DER signature %d does not verify", i)
		}
		z, err := sm2.CalculateZA(key, uid)
		if err != nil || hex.EncodeToString(z) != r["z"] {
			t.Errorf("Z of signature %d", i)
		}
	}
	for _, r := range v.Invalid {
		if verifies(public(t, raw(t, r["public"])), raw(t, r["uid"]), raw(t, r["message"]), raw(t, r["signature"])) {
			t.Errorf("accepted: %s", r["why"])
		}
	}
	for _, r := range append(v.Encryption, v.Example) {
		key, err := sm2.NewPrivateKey(raw(t, r["private"]))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := sm2.Decrypt(key, raw(t, r["cipher"]))
		if err != nil || hex.EncodeToString(plain) != r["plain"] {
			t.Errorf("decryption of %d bytes: %v", len(r["plain"])/2, err)
		}
	}
	for _, r := range v.BadCiphers {
		key, err := sm2.NewPrivateKey(raw(t, r["private"]))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sm2.Decrypt(key, raw(t, r["cipher"])); err == nil {
			t.Errorf("decrypted: %s", r["why"])
		}
	}
}

// TestWriteOwn writes what Go makes to the file named by HEALTHTRUST_INTEROP_OUT, for Python to verify and decrypt.
func TestWriteOwn(t *testing.T) {
	path := os.Getenv("HEALTHTRUST_INTEROP_OUT")
	if path == "" {
		t.Skip("HEALTHTRUST_INTEROP_OUT is not set")
	}
	var v struct{ Signatures []row }
	read(t, "sm2", &v)
	made := []row{}
	for _, r := range v.Signatures {
		key, err := sm2.NewPrivateKey(raw(t, r["private"]))
		if err != nil {
			t.Fatal(err)
		}
		message, uid := raw(t, r["message"]), raw(t, r["uid"])
		der, err := key.SignWithSM2(rand.Reader, uid, message)
		if err != nil {
			t.Fatal(err)
		}
		plain := bytes.Repeat([]byte("go"), 20)
		sealed, err := sm2.Encrypt(rand.Reader, &key.PublicKey, plain, sm2.NewPlainEncrypterOpts(sm2.MarshalUncompressed, sm2.C1C3C2))
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, row{
			"private": r["private"], "public": r["public"], "uid": r["uid"], "message": r["message"],
			"der": hex.EncodeToString(der), "plain": hex.EncodeToString(plain), "cipher": hex.EncodeToString(sealed),
		})
	}
	data, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
