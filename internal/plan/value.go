package plan

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/header"
)

// Value is a header value as Envoy formats it: "%%" is a percent sign and
// %REQ(x)% and its kin stand for parts of the request.
type Value struct {
	written string
	literal string // the whole value when there are no parts
	parts   []valuePart
}

type valuePart struct {
	literal string  // before the command
	command command // nil after the last one
	arg     string
	max     int // bytes; 0: whole
}

// A command is one of Envoy's (its access log reference, "command operators").
// What is not there formats to nothing (omit_empty_values).
type command func(m *moment, arg string) string

// moment is when a value is formatted, and what it can tell of.
type moment struct {
	hop      *Hop
	response header.Fields
	status   int // 0: the request is on its way
}

// Literal is a value without commands.
func Literal(s string) Value {
	return Value{written: strings.ReplaceAll(s, "%", "%%"), literal: s}
}

var commandForm = regexp.MustCompile(`^%([A-Z0-9_]+)(?:\((.*?)\))?(?::([0-9]+))?%`)

// ParseValue reads an Envoy format string. It fails on an unknown command or a
// lone percent sign.
func ParseValue(s string) (Value, error) {
	v := Value{written: s, literal: s}
	if !strings.Contains(s, "%") {
		return v, nil
	}
	var literal strings.Builder
	for rest := s; rest != ""; {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			i = len(rest)
		}
		literal.WriteString(rest[:i])
		if rest = rest[i:]; rest == "" {
			break
		}
		if strings.HasPrefix(rest, "%%") {
			literal.WriteByte('%')
			rest = rest[2:]
			continue
		}
		m := commandForm.FindStringSubmatch(rest)
		if m == nil {
			return Value{}, fmt.Errorf("%q has a lone %% sign; write %%%% for a percent sign", s)
		}
		p, err := parseCommand(m[0], m[1], m[2], m[3])
		if err != nil {
			return Value{}, err
		}
		p.literal = literal.String()
		literal.Reset()
		v.parts = append(v.parts, p)
		rest = rest[len(m[0]):]
	}
	v.literal = literal.String()
	if v.parts != nil && v.literal != "" {
		v.parts = append(v.parts, valuePart{literal: v.literal})
	}
	return v, nil
}

func parseCommand(whole, name, arg, max string) (p valuePart, err error) {
	p.arg = arg
	if max != "" {
		if p.max, err = strconv.Atoi(max); err != nil || p.max == 0 {
			return p, fmt.Errorf("%s has no valid length after the colon", whole)
		}
	}
	switch name {
	case "REQ", "RESP":
		if p.arg = strings.ToLower(arg); p.arg == "" {
			return p, fmt.Errorf("%s names no header", whole)
		}
		if p.command = reqHeader; name == "RESP" {
			p.command = respHeader
		}
		return p, nil
	case "START_TIME":
		p.command = startTime
		return p, checkTimeFormat(arg)
	}
	if p.command = plainCommands[name]; p.command == nil {
		return p, fmt.Errorf("%s is not carried out; known are REQ, RESP, START_TIME, PROTOCOL, RESPONSE_CODE, REQUESTED_SERVER_NAME, "+
			"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT, DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT, ROUTE_NAME, UPSTREAM_CLUSTER and STREAM_ID", whole)
	}
	if arg != "" {
		return p, fmt.Errorf("%s takes nothing in brackets", whole)
	}
	return p, nil
}

// plainCommands are the commands without arguments. The map is never written to.
var plainCommands = map[string]command{
	"PROTOCOL":                               protocol,
	"RESPONSE_CODE":                          func(m *moment, _ string) string { return strconv.Itoa(m.status) },
	"REQUESTED_SERVER_NAME":                  func(m *moment, _ string) string { return m.hop.sni },
	"ROUTE_NAME":                             routeName,
	"UPSTREAM_CLUSTER":                       upstreamCluster,
	"STREAM_ID":                              func(m *moment, _ string) string { return reqHeader(m, "x-request-id") },
	"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": func(m *moment, _ string) string { return m.hop.client },
	"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": func(m *moment, _ string) string { return m.hop.peer },
}

// reqHeader is the first value of a header of the request, or of a second one
// after "?" where there is none.
func reqHeader(m *moment, names string) string {
	r := m.hop.req
	if r == nil {
		return ""
	}
	return either(names, func(name string) (string, bool) {
		if name[0] == ':' || name == "host" {
			return r.Part(name)
		}
		return r.Header.Get(name)
	})
}

func respHeader(m *moment, names string) string {
	return either(names, func(name string) (string, bool) {
		if name == ":status" && m.status != 0 {
			return strconv.Itoa(m.status), true
		}
		return m.response.Get(name)
	})
}

func either(names string, get func(string) (string, bool)) string {
	for name := range strings.SplitSeq(names, "?") {
		if name == "" {
			continue
		}
		if v, ok := get(name); ok {
			return v
		}
	}
	return ""
}

func protocol(m *moment, _ string) string {
	switch {
	case m.hop.major == 2:
		return "HTTP/2"
	case m.hop.major == 1 && m.hop.minor == 0:
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}

func routeName(m *moment, _ string) string {
	if m.hop.Route == nil {
		return ""
	}
	return m.hop.Route.Name
}

func upstreamCluster(m *moment, _ string) string {
	if m.hop.To == nil {
		return ""
	}
	return m.hop.To.Backend.Key
}

// expand formats the value.
func (v *Value) expand(m *moment) string {
	if v.parts == nil {
		return v.literal
	}
	var b strings.Builder
	for i := range v.parts {
		p := &v.parts[i]
		b.WriteString(p.literal)
		if p.command == nil {
			continue
		}
		s := p.command(m, p.arg)
		if p.max > 0 && len(s) > p.max {
			s = s[:p.max]
		}
		b.WriteString(s)
	}
	return b.String()
}

// String prints the value as it was written.
func (v Value) String() string { return v.written }
