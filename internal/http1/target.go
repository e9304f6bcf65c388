package http1

import "strings"

// requestForm finds the form of head.Target and checks that the method goes
// with it (RFC 9112 section 3.2).
func requestForm(head *RequestHead) error {
	t := head.Target
	switch {
	case head.Method == "CONNECT":
		if !ValidHost(t) || !hasPort(t) {
			return errAuthority
		}
		head.Form, head.Host = Authority, t
	case t[0] == '/':
		head.Form = Origin
	case t == "*":
		if head.Method != "OPTIONS" {
			return errAsterisk
		}
		head.Form = Asterisk
	default:
		host, _ := splitAbsolute(t)
		if !ValidHost(host) {
			return errAbsolute
		}
		head.Form, head.Host = Absolute, host
	}
	return nil
}

// splitAbsolute cuts http://HOST/REST and https://HOST/REST; host is "" for
// everything else.
func splitAbsolute(t string) (host, rest string) {
	i := strings.Index(t, "://")
	if i < 0 || !equalFold(t[:i], "http") && !equalFold(t[:i], "https") {
		return "", t
	}
	t = t[i+3:]
	if i = strings.IndexAny(t, "/?"); i < 0 {
		return t, ""
	}
	return t[:i], t[i:]
}

// ValidHost tells whether s is a host name, an IPv4 address or a bracketed
// IPv6 address, with or without a port: what a Host line may say (RFC 9112
// section 3.2.2). Names are letters, digits, "-", ".", "_" and "~"; no
// user information, no percent-encoding, no empty port.
func ValidHost(s string) bool {
	name, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || !validIPv6(s[1:end]) {
			return false
		}
		name, port = "", s[end+1:]
	} else {
		if i := strings.IndexByte(s, ':'); i >= 0 {
			name, port = s[:i], s[i:]
		}
		if !validHostName(name) {
			return false
		}
	}
	return port == "" || port[0] == ':' && validPort(port[1:])
}

func validHostName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', digit(c), c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return s != "" && len(s) <= 255
}

// validIPv6 looks at the alphabet only: the address is a name here, never
// dialled.
func validIPv6(s string) bool {
	colon := false
	for i := range len(s) {
		if s[i] == ':' {
			colon = true
		} else if s[i] != '.' && hexValue[s[i]] == 16 {
			return false
		}
	}
	return colon && len(s) <= 45
}

func validPort(s string) bool {
	n := 0
	for i := range len(s) {
		if !digit(s[i]) {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return s != "" && len(s) <= 5 && n <= 65535
}

func hasPort(host string) bool {
	return strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']')
}

var (
	errAuthority = bad("CONNECT needs HOST:PORT as its target")
	errAsterisk  = bad("the target * goes with OPTIONS only")
	errAbsolute  = bad("the request target is neither a path nor an http URL with a valid host")
)
