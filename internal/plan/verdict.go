package plan

import (
	"errors"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/header"
)

// removeHeaders is the field of an HTTP verdict that lists fields to remove.
const removeHeaders = "x-envoy-auth-headers-to-remove"

// Judge reads the answer of an HTTP authorizer: exactly 200 allows, a 5xx is no
// verdict, everything else is a refusal that the client gets as it is (Envoy,
// ext_authz_http_impl toResponse). f has no fields of the connection.
func (p *Provider) Judge(status int, f header.Fields, body string) Verdict {
	if p.Edge {
		return p.judgeEdge(status, f)
	}
	if status >= 500 && status < 600 {
		return Verdict{Err: errors.New("it answers " + strconv.Itoa(status))}
	}
	v := Verdict{Allowed: status == 200, Status: status, Body: body}
	for _, x := range f {
		if !writable(x.Name) {
			continue
		}
		switch {
		case v.Allowed && x.Name == removeHeaders:
			for name := range strings.SplitSeq(x.Value, ",") {
				v.Remove = append(v.Remove, strings.ToLower(strings.TrimSpace(name)))
			}
		case x.Name == removeHeaders:
		case !v.Allowed:
			if p.tells(x.Name) {
				v.Header = append(v.Header, x)
			}
		default:
			if listed(p.UpstreamOnAllow, x.Name) {
				v.Set.Set(x.Name, x.Value) // the last of a repeated one
			}
			if listed(p.DownstreamOnAllow, x.Name) {
				v.AnswerAdd = append(v.AnswerAdd, x)
			}
		}
	}
	return v
}

// tells tells whether a client that is refused gets the field.
func (p *Provider) tells(name string) bool {
	if len(p.DownstreamOnDeny) == 0 {
		return true
	}
	return name == "location" || name == "www-authenticate" || listed(p.DownstreamOnDeny, name)
}

// writable tells whether a verdict may write the field: not what frames the
// message, and not what the request is called by, which Envoy keeps as the field
// :authority.
func writable(name string) bool {
	switch name {
	case "", "host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "upgrade", "te", "trailer":
		return false
	}
	return name[0] != ':'
}

// edit makes the edits of an allowed request (Envoy, ext_authz onComplete).
func (v *Verdict) edit(f *header.Fields) {
	write(f, v.Set, v.Add)
	for _, x := range v.Append {
		if before, ok := f.Joined(x.Name, ","); ok && writable(x.Name) {
			f.Set(x.Name, before+","+x.Value)
		}
	}
	for _, name := range v.Remove {
		if writable(name) {
			f.Del(name)
		}
	}
}

// editAnswer makes the edits of its answer.
func (v *Verdict) editAnswer(f *header.Fields) {
	if v != nil {
		write(f, v.AnswerSet, v.AnswerAdd)
	}
}

// write sets and adds what may be written.
func write(f *header.Fields, set, add header.Fields) {
	for _, x := range set {
		if writable(x.Name) {
			f.Set(x.Name, x.Value)
		}
	}
	for _, x := range add {
		if writable(x.Name) {
			f.Add(x.Name, x.Value)
		}
	}
}
