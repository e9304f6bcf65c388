// Package apikey is the form of API keys and of what is kept of them, the bound on how
// many wrong ones a source may show, and when good ones were last used.
//
// A key is Prefix and 256 random bits. What is kept is its SHA-256 and nothing else:
// a slow hash such as bcrypt makes up for passwords that can be guessed, and random
// bits cannot, so it would only let a wrong key cost us a tenth of a second. For the
// same reason a look-up by the hash needs no comparison in constant time: whoever
// learns from it how much of a hash was right is no nearer to a key that has it.
package apikey

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Prefix begins every key, so that people and scanners of secrets know one.
const Prefix = "dwk_"

// digits of 256 bits in base32, without padding.
const digits = 52

// New makes a key of 32 random bytes.
func New(random [32]byte) string {
	return Prefix + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:])
}

// Digest is the SHA-256 of a key: what is kept of it.
type Digest [sha256.Size]byte

// Of takes the digest of a key. A text of another form has the zero digest, which is
// no key's.
func Of(key string) Digest {
	if !IsKey(key) {
		return Digest{}
	}
	var text [len(Prefix) + digits]byte
	copy(text[:], key)
	return sha256.Sum256(text[:])
}

// IsKey tells whether a text has the form of a key.
func IsKey(text string) bool {
	if len(text) != len(Prefix)+digits || text[:len(Prefix)] != Prefix {
		return false
	}
	for i := len(Prefix); i < len(text); i++ {
		if c := text[i]; (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

const algorithm = "sha256:"

// String is the form that a Secret holds: "sha256:" and 64 hexadecimal digits.
func (d Digest) String() string { return algorithm + hex.EncodeToString(d[:]) }

// maxDigests bounds the digests of one entry: the key in use, and those before it
// that still work.
const maxDigests = 8

// ReadDigests reads the entry of a Secret: one digest a line. Blanks around it and
// empty lines do not count. The error does not tell what the entry holds, which may
// be a key.
func ReadDigests(entry []byte) ([]Digest, error) {
	var all []Digest
	for line := range strings.Lines(string(entry)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if IsKey(line) {
			return nil, errors.New("it holds a key itself, and only the hash of one may be there")
		}
		text, ok := strings.CutPrefix(line, algorithm)
		digest, err := hex.DecodeString(text)
		if !ok || err != nil || len(digest) != sha256.Size {
			return nil, fmt.Errorf("line %d is no %q and 64 hexadecimal digits", len(all)+1, algorithm)
		}
		if len(all) == maxDigests {
			return nil, fmt.Errorf("it has more than %d hashes", maxDigests)
		}
		all = append(all, Digest(digest))
	}
	if len(all) == 0 {
		return nil, errors.New("it is empty")
	}
	return all, nil
}
