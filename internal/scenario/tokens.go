package scenario

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// tokens are the tokens of a scenario, by name.
type tokens map[string]string

// testKey is the key that signs the tokens of all scenarios. It is no secret.
func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("doorward scenario " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

const testKid = "test-key"

func publicKey(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// KeySet is the public key set of the tokens that Sign makes.
func KeySet() string {
	return `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"` + testKid + `","x":"` + base64url(publicKey(testKey("own"))) + `"}]}`
}

// Sign makes a good token of claims, which are JSON.
func Sign(claims []byte) string {
	token, _ := sign(claims, "") // no flaw cannot be unknown
	return token
}

// withKeys puts the public key set in the place of ${jwks}.
func withKeys(manifest []byte) []byte {
	return bytes.ReplaceAll(manifest, []byte("${jwks}"), []byte(KeySet()))
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// add reads "NAME [FLAW] CLAIMS".
func (t tokens) add(text string) error {
	at := strings.IndexByte(text, '{')
	if at < 0 {
		return fmt.Errorf("token %q has no claims; write token NAME {\"iss\": ...}", text)
	}
	words := strings.Fields(text[:at])
	if len(words) < 1 || len(words) > 2 {
		return fmt.Errorf("token %q is not NAME [FLAW] CLAIMS", text)
	}
	flaw := ""
	if len(words) == 2 {
		flaw = words[1]
	}
	claims, err := absolute(text[at:])
	if err != nil {
		return fmt.Errorf("token %s: %w", words[0], err)
	}
	token, err := sign(claims, flaw)
	t[words[0]] = token
	return err
}

// absolute writes the relative times of claims as seconds. The claims are
// otherwise kept as they are written.
func absolute(claims string) ([]byte, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(claims), &all); err != nil {
		return nil, err
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		var relative string
		if json.Unmarshal(all[name], &relative) != nil || relative == "" || relative[0] != '+' && relative[0] != '-' {
			continue
		}
		d, err := time.ParseDuration(relative)
		if err != nil {
			return nil, err
		}
		all[name] = fmt.Appendf(nil, "%d", clock.Add(d).Unix())
	}
	return json.Marshal(all)
}

// sign makes the token, with the flaw that is asked for.
func sign(claims []byte, flaw string) (string, error) {
	key, head := testKey("own"), `{"alg":"EdDSA","kid":"`+testKid+`"}`
	switch flaw {
	case "", "tampered":
	case "other-key":
		key = testKey("other")
	case "other-kid":
		head = `{"alg":"EdDSA","kid":"other"}`
	case "no-kid":
		head = `{"alg":"EdDSA"}`
	case "crit":
		head = `{"alg":"EdDSA","kid":"` + testKid + `","crit":["exp"]}`
	case "none":
		return base64url([]byte(`{"alg":"none"}`)) + "." + base64url(claims) + ".", nil
	case "hs256-public":
		signed := base64url([]byte(`{"alg":"HS256","kid":"`+testKid+`"}`)) + "." + base64url(claims)
		mac := hmac.New(sha256.New, publicKey(key))
		mac.Write([]byte(signed))
		return signed + "." + base64url(mac.Sum(nil)), nil
	default:
		return "", fmt.Errorf("%q is no flaw; there are other-key, other-kid, no-kid, tampered, none, hs256-public, crit", flaw)
	}
	signed := base64url([]byte(head)) + "." + base64url(claims)
	signature := ed25519.Sign(key, []byte(signed))
	if flaw == "tampered" {
		signature = ed25519.Sign(key, []byte(signed+" "))
	}
	return signed + "." + base64url(signature), nil
}

// expand puts tokens in the place of ${token.NAME} and ${token.NAME.payload}.
func (t tokens) expand(line string) (string, error) {
	for {
		before, rest, ok := strings.Cut(line, "${token.")
		if !ok {
			return line, nil
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return "", fmt.Errorf("%q has no }", "${token."+rest)
		}
		name, payload := strings.CutSuffix(name, ".payload")
		token, known := t[name]
		if !known {
			return "", fmt.Errorf("there is no token %s; write token %s {...} above", name, name)
		}
		if payload {
			token = strings.Split(token, ".")[1]
		}
		line = before + token + after
	}
}
