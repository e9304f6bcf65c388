package suite

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/scenario"
	"github.com/doorward/doorward/internal/witness"
)

const (
	maxLogLine = 64 << 10 // bytes of a line that is read; longer ones are passed over
	maxLogPath = 2 << 10  // bytes of a path
	maxKinds   = 2000     // of requests in a log
	maxHosts   = 8        // that are tried where a log has none
)

// logged is a request of an access log. Its query is left out: it may hold secrets.
type logged struct {
	method, host, path string // host is "" where the log has none
	status             int
}

// parseLogged reads a line of an access log: NGINX's combined form, also with more
// behind it as ingress-nginx writes it, or JSON with Envoy's names of fields.
func parseLogged(line []byte) (logged, bool) {
	line = bytes.TrimSpace(line)
	var l logged
	var ok bool
	if len(line) > 0 && line[0] == '{' {
		l, ok = parseEnvoy(line)
	} else {
		l, ok = parseCombined(string(line))
	}
	l.path, _, _ = strings.Cut(l.path, "?")
	l.path, _, _ = strings.Cut(l.path, "#")
	return l, ok && strings.HasPrefix(l.path, "/") && len(l.path) <= maxLogPath && l.status >= 100 && l.status <= 599
}

// parseEnvoy reads JSON as Istio's and Doorward's access logs have it.
func parseEnvoy(line []byte) (logged, bool) {
	var f struct {
		Method    string `json:"method"`
		Authority string `json:"authority"`
		Path      string `json:"path"`
		Status    any    `json:"response_code"`
	}
	if json.Unmarshal(line, &f) != nil {
		return logged{}, false
	}
	status, err := strconv.Atoi(fmt.Sprint(f.Status)) // a number, or in quotes
	return logged{f.Method, strings.ToLower(f.Authority), f.Path, status}, err == nil && f.Method != ""
}

// parseCombined reads ADDRESS - USER [TIME] "METHOD TARGET PROTOCOL" STATUS BYTES ....
func parseCombined(line string) (logged, bool) {
	_, rest, ok := strings.Cut(line, `] "`)
	request, after, ok2 := strings.Cut(rest, `" `)
	parts := strings.Split(request, " ")
	if !ok || !ok2 || len(parts) != 3 || !strings.HasPrefix(parts[2], "HTTP/") {
		return logged{}, false
	}
	code, _, _ := strings.Cut(after, " ")
	status, err := strconv.Atoi(code)
	return logged{method: parts[0], path: parts[1], status: status}, err == nil
}

// fromLog proposes a test for each kind of request: those that the same rules decide, by
// method and host. It returns how many requests it has read.
func (g *generator) fromLog(log io.Reader) (int, error) {
	if g.entrance() == nil {
		return 0, errors.New("nothing takes requests: these manifests have neither an Ingress nor a Gateway")
	}
	b := bufio.NewReaderSize(log, maxLogLine)
	read := 0
	for {
		line, err := b.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) { // the rest of a line that is too long
				_, err = b.ReadSlice('\n')
			}
		} else if l, ok := parseLogged(line); ok {
			read++
			g.logged(l)
		}
		switch {
		case errors.Is(err, io.EOF) && read == 0:
			return 0, errors.New("the log has no request in NGINX's combined form, or in JSON with Envoy's names (method, authority, path, response_code)")
		case errors.Is(err, io.EOF):
			return read, nil
		case err != nil:
			return read, fmt.Errorf("read the log: %w", err)
		}
	}
}

// entrance is the listener that clients come to: the edge, or the first gateway where
// there is no Ingress.
func (g *generator) entrance() *plan.Listener {
	if l := g.Plan.Listener(plan.Edge); l != nil && len(g.hosts(l)) > 0 {
		return l
	}
	for _, l := range g.Plan.Listeners() {
		if l.Dialect == plan.Envoy {
			return l
		}
	}
	return nil
}

// hosts are the names of a listener's hosts, without wildcards.
func (g *generator) hosts(l *plan.Listener) []string {
	var all []string
	for _, c := range l.Chains {
		for _, h := range c.Hosts {
			if !strings.Contains(h.Name, "*") {
				all = append(all, h.Name)
			}
		}
	}
	return all
}

// logged keeps a request, unless one of its kind is there. Of those who may have sent
// it the first is taken who gets what the log has.
func (g *generator) logged(l logged) {
	if len(g.file.Tests) == maxKinds || len(g.seen) >= 4*maxKinds {
		return
	}
	hosts := g.hostsOf(l)
	kind := l.method + " " + strconv.Itoa(l.status/100)
	for _, host := range hosts {
		kind += " " + host + g.kind(l, host)
	}
	if g.seen[kind] {
		return
	}
	g.seen[kind] = true
	member := g.named("member", caller.Spec{User: "member@example.com"})
	var best *Test
	var outcome scenario.Outcome
	for _, host := range hosts {
		for _, as := range []*Caller{nil, member} {
			t := g.ask(l, host, as)
			if t == nil {
				continue
			}
			o := g.decide(t)
			agrees := o.Status/100 == l.status/100
			if best == nil || agrees {
				best, outcome = t, o
			}
			if agrees {
				g.keep(best, &outcome)
				return
			}
		}
	}
	if best != nil {
		g.keep(best, &outcome)
	}
}

// hostsOf are those that a logged request may have been for.
func (g *generator) hostsOf(l logged) []string {
	if l.host != "" {
		return []string{l.host}
	}
	if hosts := g.hosts(g.entrance()); len(hosts) > 0 {
		return hosts[:min(len(hosts), maxHosts)]
	}
	return []string{"app.example.com"}
}

// kind is by which rules a request is decided, whoever sends it.
func (g *generator) kind(l logged, host string) string {
	entrance := g.entrance()
	r := witness.Request{Via: entrance.Key, Secure: secure(entrance), Method: l.method, Host: host, Target: l.path}
	var kind strings.Builder
	for _, who := range []witness.Caller{witness.Anonymous(), witness.Member()} {
		if !g.visit.Walk(g.Plan, &r, &who) {
			continue
		}
		for _, h := range g.visit.Out.Hops() {
			if h.Route != nil {
				kind.WriteString(" " + h.Route.Origin.String())
			}
		}
		if _, would := g.visit.Would(); would != nil {
			kind.WriteString(" " + would.Origin.String())
		}
		kind.WriteString(" " + g.visit.Out.By.String())
	}
	return kind.String()
}

// secure tells whether clients come to a listener over TLS.
func secure(l *plan.Listener) bool { return l.TLS() || l.Dialect == plan.NGINX }

// ask is a logged request as a client of the host sends it.
func (g *generator) ask(l logged, host string, as *Caller) *Test {
	entrance := g.entrance()
	scheme := "http"
	if secure(entrance) {
		scheme = "https"
	}
	t := &Test{URL: scheme + "://" + host + l.path, As: as, Request: scenario.Request{Via: entrance.Key, Method: l.method, Chance: 0.5}}
	if t.SetURL(t.URL) != nil || !valid(t) {
		return nil
	}
	return t
}

// keep adds a test.
func (g *generator) keep(t *Test, o *scenario.Outcome) {
	g.decide(t) // its way, for add
	t.Name = strings.TrimSpace(t.Method + " " + t.Target)
	if t.As != nil {
		t.Name += ", as " + t.As.Name
	}
	g.add(t, o)
}
