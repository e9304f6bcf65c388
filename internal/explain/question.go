package explain

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/scenario"
)

// Question is a request that somebody asks about. Its JSON is what POST /explain of a
// running Doorward takes.
type Question struct {
	URL    string `json:"url"`
	Method string `json:"method,omitempty"` // "" is GET
	// Headers are NAME: VALUE.
	Headers []string `json:"headers,omitempty"`
	// Via is the listener that the request comes in at; "" is the edge.
	Via string `json:"via,omitempty"`
	// From is the client's address; "" is 127.0.0.1.
	From string `json:"from,omitempty"`
	// Navigate sends what a browser does when a person opens a page.
	Navigate bool `json:"navigate,omitempty"`
	// Follow asks about the redirects that come of it, too.
	Follow bool `json:"follow,omitempty"`
	// As is who asks.
	As caller.Spec `json:"as,omitzero"`
}

// fill writes what was left out.
func (q *Question) fill() {
	q.Method, q.Via, q.From = cmp.Or(q.Method, "GET"), cmp.Or(q.Via, plan.Edge), cmp.Or(q.From, "127.0.0.1")
}

// Request makes the request that a client would send. Its errors are for who asks.
func (q *Question) Request() (*match.Request, error) {
	q.fill()
	var asked scenario.Request
	url, _, _ := strings.Cut(q.URL, "#") // clients keep the fragment
	if err := asked.SetURL(url); err != nil {
		return nil, fmt.Errorf("%w; as in https://cluster.example.com/myapp/", err)
	}
	if !http1.ValidHost(asked.Host) {
		return nil, fmt.Errorf("%q: the host %q is none; as in https://cluster.example.com/myapp/", q.URL, asked.Host)
	}
	if i := strings.IndexFunc(asked.Target, func(r rune) bool { return r <= ' ' || r == 0x7f }); i >= 0 {
		return nil, fmt.Errorf("%q: a URL has no blanks or control characters; write %%%02X for the one after %q", q.URL, asked.Target[i], asked.Target[:i])
	}
	if !http1.ValidName(strings.ToLower(q.Method)) { // both are tokens (RFC 9110)
		return nil, fmt.Errorf("-X %s is no method; as in -X POST", q.Method)
	}
	peer, err := netip.ParseAddr(q.From)
	if err != nil {
		return nil, fmt.Errorf("--from %s is no IP address; as in --from 203.0.113.7", q.From)
	}
	r := &match.Request{
		Peer: peer.Unmap(), Secure: asked.Secure, Major: 1, Minor: 1,
		Method: q.Method, Host: asked.Host, Target: asked.Target,
	}
	if r.Secure {
		r.SNI = asked.SNI
	}
	if q.Navigate {
		r.Header.Add("accept", "text/html")
		r.Header.Add("sec-fetch-mode", "navigate")
	}
	if err := q.addHeaders(r); err != nil {
		return nil, err
	}
	http1.RemoveHopByHop(&r.Header)
	return r, nil
}

func (q *Question) addHeaders(r *match.Request) error {
	for _, h := range q.Headers {
		name, value, ok := strings.Cut(h, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !ok || !http1.ValidName(name) || !http1.ValidValue(value) {
			return fmt.Errorf("-H %q is not NAME: VALUE; as in -H 'x-user: alice'", h)
		}
		if name == "host" {
			if !http1.ValidHost(value) {
				return fmt.Errorf("-H %q: that is no host; as in -H 'host: cluster.example.com'", h)
			}
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	return nil
}
