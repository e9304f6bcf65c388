package http1

import "github.com/doorward/doorward/internal/header"

// RemoveHopByHop removes the lines that end at the next hop (RFC 9110 section
// 7.6.1): Connection, the lines that it names, and their kin. "te: trailers"
// stays, since trailers are passed on. Host, framing and Cookie lines cannot
// be named away by a client, nor can Authorization. When an upgrade is passed
// on, its value is in the head's Upgrade: RequestHead.Upgrade is written as it
// is, and for ServerConn.Begin it is set as the upgrade field again.
func RemoveHopByHop(f *header.Fields) {
	s := *f
	names := namesFields(s)
	kept := 0
	for i := range s {
		if !hopByHop(&s[i]) && !(names && named(s, s[i].Name)) {
			if kept != i {
				s[kept], s[i] = s[i], s[kept] // keeps the Connection lines readable
			}
			kept++
		}
	}
	clear(s[kept:])
	*f = s[:kept]
}

func hopByHop(f *header.Field) bool {
	switch f.Name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings", "proxy-authenticate":
		return true
	case "te":
		return !equalFold(f.Value, "trailers")
	}
	return false
}

// namesFields tells whether a Connection line says more than the options that
// name no field.
func namesFields(s header.Fields) bool {
	for i := range s {
		if s[i].Name != "connection" {
			continue
		}
		for rest := s[i].Value; rest != ""; {
			var tok string
			tok, rest = nextToken(rest)
			if !equalFold(tok, "keep-alive") && !equalFold(tok, "close") && !equalFold(tok, "upgrade") {
				return true
			}
		}
	}
	return false
}

// named tells whether a Connection line names the field.
func named(s header.Fields, name string) bool {
	switch name {
	case "host", "content-length", "authorization", "cookie", "te":
		return false
	}
	for i := range s {
		if s[i].Name == "connection" && len(s[i].Value) >= len(name) && lists(s[i].Value, name) {
			return true
		}
	}
	return false
}
