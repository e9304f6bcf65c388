package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/doorward/doorward/internal/plan"
)

// keys are the public keys of an issuer. They never change.
type keys struct {
	data []byte // that they were read from
	all  []key
}

type key struct {
	id, alg string // "" where the set does not say
	public  any    // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey; []byte of a shared secret
}

// maxKeys bounds a key set: a token without kid is tried against all of them.
const maxKeys = 100

// CheckKeys tells why a key set in JSON holds no usable key, or nil.
func CheckKeys(set string) error {
	_, err := readKeys([]byte(set), true)
	return err
}

// readKeys reads a JSON Web Key Set (RFC 7517), or an object of PEM certificates
// by kid, as Google gives them. Keys that cannot verify tokens (those for
// encryption, broken ones) are left out; at least one must be left. Symmetric keys
// count only in a set that a manifest brings (inline), as with Envoy: what is
// fetched from a URL is no secret.
func readKeys(data []byte, inline bool) (*keys, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("the key set is no JSON: %w", err)
	}
	k := &keys{data: data}
	var bad error
	for _, raw := range set.Keys {
		one, err := readKey(raw, inline)
		if err != nil {
			bad = errors.Join(bad, err)
			continue
		}
		k.all = append(k.all, one)
	}
	if set.Keys == nil {
		k.all, bad = readCertificates(data)
	}
	switch {
	case len(k.all) > maxKeys:
		return nil, fmt.Errorf("the key set has %d keys, more than %d", len(k.all), maxKeys)
	case len(k.all) == 0 && bad != nil:
		return nil, fmt.Errorf("the key set has no usable key: %w", bad)
	case len(k.all) == 0:
		return nil, errors.New("the key set has no key")
	}
	return k, nil
}

func readKey(raw json.RawMessage, inline bool) (key, error) {
	var j jose.JSONWebKey
	if err := j.UnmarshalJSON(raw); err != nil {
		return key{}, err
	}
	k := key{id: j.KeyID, alg: j.Algorithm, public: j.Public().Key}
	if secret, ok := j.Key.([]byte); ok && inline {
		k.public = secret
	}
	if j.Use == "enc" {
		return key{}, fmt.Errorf("key %q is for encryption", k.id)
	}
	if !fits(k.alg, k.public) {
		return key{}, fmt.Errorf("key %q (%s) verifies no token", k.id, k.alg)
	}
	return k, nil
}

// readCertificates reads {"KID": "-----BEGIN CERTIFICATE-----..."}.
func readCertificates(data []byte) (all []key, bad error) {
	var set map[string]string
	if json.Unmarshal(data, &set) != nil {
		return nil, errors.New(`it has no list "keys"`)
	}
	for id, text := range set {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			bad = errors.Join(bad, fmt.Errorf("key %q is no PEM", id))
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			bad = errors.Join(bad, fmt.Errorf("key %q: %w", id, err))
			continue
		}
		if k := (key{id: id, public: c.PublicKey}); fits("", k.public) {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b key) int { return strings.Compare(a.id, b.id) })
	return all, bad
}

// curves are the algorithms of elliptic curves, by their size in bits.
var curves = map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}

// fits tells whether a key can verify the algorithm; "" asks whether it can
// verify any. The key decides: no token turns a public key into an HMAC secret.
func fits(alg string, public any) bool {
	any := alg == ""
	switch k := public.(type) {
	case *rsa.PublicKey:
		return any || len(alg) == 5 && (alg[:2] == "RS" || alg[:2] == "PS") && known(alg)
	case *ecdsa.PublicKey:
		of := curves[k.Params().BitSize]
		return of != "" && (any || alg == of)
	case ed25519.PublicKey:
		return any || alg == "EdDSA"
	case []byte:
		return len(k) > 0 && (any || len(alg) == 5 && alg[:2] == "HS" && known(alg))
	}
	return false
}

// verify checks the signature. What is told, and which keys are tried, are as
// with Envoy (verify.cc): those of the token's kid, all if it names none.
// unknown says that no key has the kid, so that newer keys might.
func (k *keys) verify(p *parsed) (f plan.TokenFailure, unknown bool) {
	if p.critical { // RFC 7515 section 4.1.11: nothing critical is understood
		f = unauthorized(wrongSignature)
		f.Reason = "its header has crit"
		return f, false
	}
	tried := false
	for i := range k.all {
		key := &k.all[i]
		if p.kid != "" && key.id != "" && key.id != p.kid || key.alg != "" && key.alg != p.alg {
			continue
		}
		tried = true
		if fits(p.alg, key.public) && signedBy(p, key.public) {
			return plan.TokenFailure{}, false
		}
		if _, ed := key.public.(ed25519.PublicKey); ed && p.signature != ed25519.SignatureSize {
			return unauthorized(wrongLength), false
		}
	}
	if tried {
		return unauthorized(wrongSignature), p.kid == ""
	}
	f = unauthorized(noKey)
	f.Reason = fmt.Sprintf("kid %q, alg %s", p.kid, p.alg)
	return f, true
}

const (
	wrongSignature = "Jwt verification fails"
	wrongLength    = "Jwt ED25519 signature is wrong length"
	noKey          = "Jwks doesn't have key to match kid or alg from Jwt"
	noKeys         = "Jwks doesn't have any valid public key"
	notFetched     = wrongSignature // Istio takes a key that is nobody's then (jwks_resolver.go, PublicOnlyJwks)
	wrongAudience  = "Audiences in Jwt are not allowed"
)

func signedBy(p *parsed, public any) bool {
	s, err := jose.ParseSignedCompact(p.Raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(p.alg)})
	if err != nil {
		return false
	}
	_, err = s.Verify(public)
	return err == nil
}
