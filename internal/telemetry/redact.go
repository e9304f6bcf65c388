package telemetry

import (
	"strings"

	"github.com/doorward/doorward/internal/apikey"
)

// secrets are query parameters whose values are keys to something: they are
// signed in by tokens, codes, signatures and passwords. They must not lie
// around in logs. Names are compared without case, "-" and "_". The map is
// never written to.
var secrets = map[string]bool{
	"token": true, "accesstoken": true, "idtoken": true, "refreshtoken": true, "authtoken": true, "securitytoken": true,
	"code": true, "state": true, "assertion": true, "clientsecret": true, "clientassertion": true, "idtokenhint": true,
	"password": true, "passwd": true, "pwd": true, "secret": true, "apikey": true, "key": true, "auth": true, "authorization": true,
	"jwt": true, "session": true, "sessionid": true, "sid": true, "sig": true, "signature": true,
	"xamzsignature": true, "xamzsecuritytoken": true, "xamzcredential": true, "xgoogsignature": true, "xgoogcredential": true,
	"awsaccesskeyid": true, "samlresponse": true, "samlrequest": true, "ticket": true, "otp": true,
}

const redacted = "REDACTED"

// appendTarget appends a target without the values of secret parameters.
func appendTarget(dst []byte, target string, escape func([]byte, string) []byte) []byte {
	path, query, has := strings.Cut(target, "?")
	dst = escape(dst, path)
	if !has {
		return dst
	}
	dst = append(dst, '?')
	for i := 0; ; i++ {
		pair, rest, more := strings.Cut(query, "&")
		if i > 0 {
			dst = append(dst, '&')
		}
		name, value, hasValue := strings.Cut(pair, "=")
		dst = escape(dst, name)
		if hasValue {
			dst = append(dst, '=')
			if value != "" && (isSecret(name) || apikey.IsKey(value)) {
				value = redacted
			}
			dst = escape(dst, value)
		}
		if !more {
			return dst
		}
		query = rest
	}
}

// isSecret tells whether the parameter called name holds a secret. Letters
// that are percent-encoded count as what they are.
func isSecret(name string) bool {
	var plain [24]byte
	n := 0
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '%' && i+2 < len(name) {
			if hi, lo := unhex(name[i+1]), unhex(name[i+2]); hi < 16 && lo < 16 {
				c = hi<<4 | lo
				i += 2
			}
		}
		switch {
		case c == '-' || c == '_' || c == '.' || c == '+' || c == ' ' || c == '[' || c == ']':
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		if n == len(plain) {
			return false
		}
		plain[n] = c
		n++
	}
	return secrets[string(plain[:n])]
}

// unhex is the value of a hexadecimal digit, or 16.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

// withoutQuery is the part of a URL before its query: a Referer's query is
// another request's, with its secrets.
func withoutQuery(url string) string {
	before, _, _ := strings.Cut(url, "?")
	return before
}
