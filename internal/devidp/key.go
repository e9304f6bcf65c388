package devidp

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-jose/go-jose/v4"

	"github.com/doorward/doorward/internal/statefile"
)

// keyFile is the signing key's name in the state directory.
const keyFile = "dev-login.key"

// key signs tokens, RS256: what every client can verify.
type key struct {
	private *rsa.PrivateKey
	id      string
}

func (k *key) ID() string                                  { return k.id }
func (k *key) Key() any                                    { return k.private }
func (k *key) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }

// publicKey is the half that everybody may see.
type publicKey struct{ *key }

func (k publicKey) Key() any                           { return &k.private.PublicKey }
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }

// signingKey is the key that is kept in a directory, made where there is none. "" keeps none.
func signingKey(dir string) (*key, error) {
	file := filepath.Join(dir, keyFile)
	if dir != "" {
		data, err := os.ReadFile(file)
		if err == nil {
			return readKey(file, data)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	if dir != "" {
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			return nil, err
		}
		if err := statefile.Write(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
			return nil, fmt.Errorf("keep the key of the development login: %w", err)
		}
	}
	return newKey(private)
}

func readKey(file string, data []byte) (*key, error) {
	bad := fmt.Errorf("%s is no RSA key; remove it to have a new one made", file)
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, bad
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, bad
	}
	return newKey(private)
}

// newKey names a key by its thumbprint (RFC 7638).
func newKey(private *rsa.PrivateKey) (*key, error) {
	sum, err := (&jose.JSONWebKey{Key: &private.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return &key{private, base64.RawURLEncoding.EncodeToString(sum)}, nil
}
