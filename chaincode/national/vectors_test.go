// The shared vectors against an independent implementation of the national algorithms (emmansun/gmsm): what the ledger uses of
// it (this package), and what only other languages here use (SM4, encryption). TestWriteOwn makes signatures and ciphers for the
// Python side to check.
package national

import (
	"bytes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm4"

	"healthtrust/chaincode/internal/vectors"
	"healthtrust/chaincode/words"
)

type row map[string]string

func public(t *testing.T, xy []byte) *ecdsa.PublicKey {
	t.Helper()
	key, err := sm2.NewPublicKey(append([]byte{4}, xy...))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// verifies is Verify for any user id, over Z as gmsm computes it.
func verifies(key, uid, message, signature []byte) bool {
	x, y := words.Word(key[:32]), words.Word(key[32:])
	z, err := sm2.CalculateZA(&ecdsa.PublicKey{Curve: sm2.P256(), X: number(x), Y: number(y)}, uid)
	if err != nil || len(signature) != 64 {
		return false
	}
	r, s := words.Word(signature[:32]), words.Word(signature[32:])
	valid, _ := VerifyMessage(words.Word(z), message, r, s, x, y)
	return valid
}

func TestSM3(t *testing.T) {
	var v struct{ Examples, Lengths, Hmac []row }
	vectors.Read(t, "sm3", &v)
	for _, r := range append(v.Examples, v.Lengths...) {
		message := vectors.Raw(t, r["message"])
		if Hash(message).Hex() != r["digest"] || Hash(message[:len(message)/2], message[len(message)/2:]).Hex() != r["digest"] {
			t.Errorf("SM3 of %s", r["message"])
		}
	}
	words32 := 0
	for _, r := range v.Hmac {
		if key := vectors.Raw(t, r["key"]); len(key) == 32 {
			words32++
			if HMAC(words.Word(key), vectors.Raw(t, r["message"])).Hex() != r["mac"] {
				t.Errorf("HMAC under %s", r["key"])
			}
		}
	}
	if words32 == 0 {
		t.Error("no HMAC under a word")
	}
}

func TestSM4(t *testing.T) {
	var v struct {
		Block    row
		Gcm, Ctr []row
	}
	vectors.Read(t, "sm4", &v)
	block := func(r row) cipher.Block {
		b, err := sm4.NewCipher(vectors.Raw(t, r["key"]))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	out := make([]byte, 16)
	block(v.Block).Encrypt(out, vectors.Raw(t, v.Block["plain"]))
	if hex.EncodeToString(out) != v.Block["cipher"] {
		t.Error("block")
	}
	for i, r := range v.Gcm {
		aead, err := cipher.NewGCM(block(r))
		if err != nil {
			t.Fatal(err)
		}
		if made := aead.Seal(nil, vectors.Raw(t, r["iv"]), vectors.Raw(t, r["plain"]), vectors.Raw(t, r["aad"])); hex.EncodeToString(made) != r["cipher"] {
			t.Errorf("GCM %d", i)
		}
	}
	for i, r := range v.Ctr {
		made := make([]byte, len(r["plain"])/2)
		cipher.NewCTR(block(r), vectors.Raw(t, r["iv"])).XORKeyStream(made, vectors.Raw(t, r["plain"]))
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
	vectors.Read(t, "sm2", &v)
	v.Example["uid"] = hex.EncodeToString([]byte("1234567812345678"))
	for i, r := range append(v.Signatures, v.Example) {
		xy, message, uid := vectors.Raw(t, r["public"]), vectors.Raw(t, r["message"]), vectors.Raw(t, r["uid"])
		key := public(t, xy)
		if !verifies(xy, uid, message, vectors.Raw(t, r["signature"])) {
			t.Errorf("signature %d does not verify", i)
		}
		if verifies(xy, append(uid, 'x'), message, vectors.Raw(t, r["signature"])) {
			t.Errorf("signature %d verifies for another user id", i)
		}
		if der := r["der"]; der != "" && !sm2.VerifyASN1WithSM2(key, uid, message, vectors.Raw(t, der)) {
			t.Errorf("DER signature %d does not verify", i)
		}
		z, err := sm2.CalculateZA(key, uid)
		if err != nil || hex.EncodeToString(z) != r["z"] {
			t.Errorf("Z of signature %d", i)
		}
		if string(uid) == UserID && ZOf(words.Word(xy[:32]), words.Word(xy[32:])).Hex() != r["z"] {
			t.Errorf("own Z of signature %d", i)
		}
	}
	for _, r := range v.BadPublicKeys {
		if xy := vectors.Raw(t, r["key"]); len(xy) == 64 && OnCurve(words.Word(xy[:32]), words.Word(xy[32:])) {
			t.Errorf("a key: %s", r["why"])
		}
	}
	for _, r := range v.Invalid {
		if verifies(vectors.Raw(t, r["public"]), vectors.Raw(t, r["uid"]), vectors.Raw(t, r["message"]), vectors.Raw(t, r["signature"])) {
			t.Errorf("accepted: %s", r["why"])
		}
	}
	for _, r := range append(v.Encryption, v.Example) {
		key, err := sm2.NewPrivateKey(vectors.Raw(t, r["private"]))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := sm2.Decrypt(key, vectors.Raw(t, r["cipher"]))
		if err != nil || hex.EncodeToString(plain) != r["plain"] {
			t.Errorf("decryption of %d bytes: %v", len(r["plain"])/2, err)
		}
	}
	for _, r := range v.BadCiphers {
		key, err := sm2.NewPrivateKey(vectors.Raw(t, r["private"]))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sm2.Decrypt(key, vectors.Raw(t, r["cipher"])); err == nil {
			t.Errorf("decrypted: %s", r["why"])
		}
	}
}

// TestWriteOwn writes what Go makes to the file named by HEALTHTRUST_INTEROP_OUT, for Python to verify and decrypt.
func TestWriteOwn(t *testing.T) {
	path := os.Getenv("HEALTHTRUST_INTEROP_OUT")
	if path == "" {
		path = filepath.Join(t.TempDir(), "made.json")
	}
	var v struct{ Signatures []row }
	vectors.Read(t, "sm2", &v)
	made := []row{}
	for _, r := range v.Signatures {
		key, err := sm2.NewPrivateKey(vectors.Raw(t, r["private"]))
		if err != nil {
			t.Fatal(err)
		}
		message, uid := vectors.Raw(t, r["message"]), vectors.Raw(t, r["uid"])
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
