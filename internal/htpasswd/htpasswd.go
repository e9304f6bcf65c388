// Package htpasswd compares passwords with the hashes of htpasswd files, in the forms
// that NGINX knows (ngx_http_auth_basic_module, auth_basic_user_file).
package htpasswd

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Checker is Match as the plan wants it (plan.Passwords).
type Checker struct{}

// Password is Match.
func (Checker) Password(hash, password string) bool { return Match(hash, password) }

// Match tells whether a password is the one of a hash: bcrypt, apr1, md5-crypt, {SHA},
// {SSHA} or {PLAIN}. One of another form, or an empty one, is nobody's.
func Match(hash, password string) bool {
	form, rest, _ := strings.Cut(strings.TrimPrefix(hash, "$"), "$")
	switch {
	case strings.HasPrefix(hash, "$2"):
		return !tooDear(hash) && bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	case strings.HasPrefix(hash, "$") && (form == "apr1" || form == "1"):
		salt, _, _ := strings.Cut(rest, "$")
		return equal(hash, md5Crypt("$"+form+"$", salt, password))
	case strings.HasPrefix(hash, "{SHA}"):
		sum := sha1.Sum([]byte(password))
		return equal(hash[len("{SHA}"):], base64.StdEncoding.EncodeToString(sum[:]))
	case strings.HasPrefix(hash, "{SSHA}"):
		data, err := base64.StdEncoding.DecodeString(hash[len("{SSHA}"):])
		if err != nil || len(data) < sha1.Size {
			return false
		}
		sum := sha1.Sum(append([]byte(password), data[sha1.Size:]...))
		return subtle.ConstantTimeCompare(sum[:], data[:sha1.Size]) == 1
	case strings.HasPrefix(hash, "{PLAIN}"):
		return equal(hash[len("{PLAIN}"):], password)
	}
	return false
}

// maxCost bounds the cost of bcrypt: htpasswd -C makes none over it, and each step
// doubles the time that any stranger can take.
const maxCost = 17

// tooDear tells whether a hash of bcrypt takes so long that nobody's password is
// compared with it: the library knows costs that take hours.
func tooDear(hash string) bool {
	cost, err := bcrypt.Cost([]byte(hash))
	return err == nil && cost > maxCost
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// md5Crypt is crypt's MD5 hash, with a magic of Apache's or its own (Poul-Henning
// Kamp's algorithm, as crypt(5) describes it).
func md5Crypt(magic, salt, password string) string {
	if len(salt) > 8 {
		salt = salt[:8]
	}
	pw := []byte(password)
	inner := md5.Sum([]byte(password + salt + password))
	var b bytes.Buffer
	b.WriteString(password + magic + salt)
	for n := len(pw); n > 0; n -= md5.Size {
		b.Write(inner[:min(n, md5.Size)])
	}
	for n := len(pw); n > 0; n >>= 1 {
		if n&1 == 1 {
			b.WriteByte(0)
		} else {
			b.WriteByte(pw[0])
		}
	}
	sum := md5.Sum(b.Bytes())
	for i := range 1000 {
		b.Reset()
		if i&1 == 1 {
			b.Write(pw)
		} else {
			b.Write(sum[:])
		}
		if i%3 != 0 {
			b.WriteString(salt)
		}
		if i%7 != 0 {
			b.Write(pw)
		}
		if i&1 == 1 {
			b.Write(sum[:])
		} else {
			b.Write(pw)
		}
		sum = md5.Sum(b.Bytes())
	}
	const digits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	out := []byte(magic + salt + "$")
	write := func(v uint, n int) {
		for ; n > 0; n-- {
			out = append(out, digits[v&0x3f])
			v >>= 6
		}
	}
	for _, t := range [...][3]int{{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}} {
		write(uint(sum[t[0]])<<16|uint(sum[t[1]])<<8|uint(sum[t[2]]), 4)
	}
	write(uint(sum[11]), 2)
	return string(out)
}
