package login

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
)

const (
	keyIDSize = 4
	// maxOpened bounds what a sealed text can unfold to.
	maxOpened = 64 << 10
)

// keyring seals texts so that nobody else can read, make or change them: AES-256-GCM
// with random nonces. Its first key seals; all of them open.
type keyring struct{ keys []sealKey }

type sealKey struct {
	id   [keyIDSize]byte
	aead cipher.AEAD
}

// newKeyring derives the keys from secrets (HKDF, RFC 5869).
func newKeyring(secrets ...string) (*keyring, error) {
	r := &keyring{}
	for _, s := range secrets {
		k, err := hkdf.Key(sha256.New, []byte(s), nil, "doorward login cookies v1", 32+keyIDSize)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(k[:32])
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, sealKey{[keyIDSize]byte(k[32:]), aead})
	}
	if len(r.keys) == 0 {
		return nil, errors.New("no key to seal with")
	}
	return r, nil
}

// seal compresses and seals a text for a purpose: it opens for no other.
func (r *keyring) seal(purpose string, text []byte) string {
	var small bytes.Buffer
	w, _ := flate.NewWriter(&small, flate.BestCompression) // the level is a right one
	_, _ = w.Write(text)                                   // to memory
	_ = w.Close()
	k := &r.keys[0]
	sealed := k.aead.Seal(append([]byte(nil), k.id[:]...), nil, small.Bytes(), []byte(purpose))
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// open returns a text that was sealed for the purpose by one of the keys.
func (r *keyring) open(purpose, sealed string) ([]byte, bool) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(data) < keyIDSize {
		return nil, false
	}
	for i := range r.keys {
		k := &r.keys[i]
		if [keyIDSize]byte(data) != k.id {
			continue
		}
		small, err := k.aead.Open(nil, nil, data[keyIDSize:], []byte(purpose))
		if err != nil {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(small)), maxOpened+1))
		return text, err == nil && len(text) <= maxOpened
	}
	return nil, false
}
