package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/match"
)

// Value is a header value as Envoy formats it: "%%" is a percent sign and
// %REQ(x)% and its kin stand for parts of the request.
type Value struct {
	literal string // when there are no parts
	parts   []valuePart
}

type valuePart struct {
	literal string
	command string // REQ, PROTOCOL, ...
	name    string // REQ's header, lower case
	other   string // REQ's second choice
	max     int    // 0: whole
}

// Literal is a value without commands.
func Literal(s string) Value { return Value{literal: s} }

// ParseValue reads an Envoy format string. It fails on an unknown command or a
// lone percent sign.
func ParseValue(s string) (Value, error) {
	if !strings.Contains(s, "%") {
		return Literal(s), nil
	}
	var v Value
	lit := strings.Builder{}
	for i := 0; i < len(s); {
		if s[i] != '%' {
			lit.WriteByte(s[i])
			i++
			continue
		}
		if strings.HasPrefix(s[i:], "%%") {
			lit.WriteByte('%')
			i += 2
			continue
		}
		end := strings.IndexByte(s[i+1:], '%')
		if end < 0 {
			return Value{}, fmt.Errorf("%q has a lone %% sign; write %%%% for a percent sign", s)
		}
		p, err := parseCommand(s[i+1 : i+1+end])
		if err != nil {
			return Value{}, err
		}
		p.literal = lit.String()
		lit.Reset()
		v.parts = append(v.parts, p)
		i += end + 2
	}
	if len(v.parts) == 0 {
		return Literal(lit.String()), nil
	}
	if lit.Len() > 0 {
		v.parts = append(v.parts, valuePart{literal: lit.String()})
	}
	return v, nil
}

func parseCommand(s string) (valuePart, error) {
	name, rest, hasArg := strings.Cut(s, "(")
	p := valuePart{command: name}
	if hasArg {
		arg, tail, ok := strings.Cut(rest, ")")
		if !ok {
			return p, fmt.Errorf("%%%s%% lacks a closing bracket", s)
		}
		first, second, _ := strings.Cut(arg, "?")
		p.name, p.other = strings.ToLower(first), strings.ToLower(second)
		if n, isMax := strings.CutPrefix(tail, ":"); isMax {
			max, err := strconv.Atoi(n)
			if err != nil || max < 0 {
				return p, fmt.Errorf("%%%s%% has no valid length after the colon", s)
			}
			p.max = max
		}
	}
	switch p.command {
	case "REQ":
		if p.name == "" {
			return p, fmt.Errorf("%%%s%% names no header", s)
		}
	case "PROTOCOL", "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", "REQUESTED_SERVER_NAME", "RESPONSE_CODE":
	default:
		return p, fmt.Errorf("%%%s%% is not carried out; known are REQ, PROTOCOL, DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT, DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT, REQUESTED_SERVER_NAME and RESPONSE_CODE", s)
	}
	return p, nil
}

// expand formats the value for r, which is nil on responses whose request is gone.
func (v *Value) expand(r *match.Request, status int) string {
	if v.parts == nil {
		return v.literal
	}
	var b strings.Builder
	for i := range v.parts {
		b.WriteString(v.parts[i].literal)
		if v.parts[i].command != "" {
			b.WriteString(v.parts[i].expand(r, status))
		}
	}
	return b.String()
}

func (p *valuePart) expand(r *match.Request, status int) string {
	s := "" // what is not there formats to nothing (Envoy, omit_empty_values)
	switch {
	case p.command == "RESPONSE_CODE":
		s = strconv.Itoa(status)
	case r == nil:
	case p.command == "REQ":
		if v, ok := r.Part(p.name); ok {
			s = v
		} else if v, ok := r.Part(p.other); ok && p.other != "" {
			s = v
		}
	case p.command == "PROTOCOL":
		s = "HTTP/1.1"
		if r.Major == 2 {
			s = "HTTP/2"
		} else if r.Minor == 0 {
			s = "HTTP/1.0"
		}
	case p.command == "REQUESTED_SERVER_NAME":
		if r.SNI != "" {
			s = r.SNI
		}
	default:
		s = r.Peer.String()
	}
	if p.max > 0 && len(s) > p.max {
		s = s[:p.max]
	}
	return s
}

// String prints the value as it was written, percent signs doubled again.
func (v Value) String() string {
	if v.parts == nil {
		return v.literal
	}
	var b strings.Builder
	for _, p := range v.parts {
		b.WriteString(p.literal)
		if p.command == "" {
			continue
		}
		b.WriteString("%" + p.command)
		if p.name != "" {
			b.WriteString("(" + p.name)
			if p.other != "" {
				b.WriteString("?" + p.other)
			}
			b.WriteString(")")
		}
		b.WriteString("%")
	}
	return b.String()
}
