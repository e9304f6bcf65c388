package server

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/jwt"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/pki"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/scenario"
)

// TestScenariosOverSockets runs every scenario over real sockets: requests are
// written byte for byte, each endpoint is an HTTP server that notes what it
// gets. The outcomes must be the expected ones, and those of the walk alone in
// every header. Then every request is sent over HTTP/2 too.
func TestScenariosOverSockets(t *testing.T) {
	files, err := filepath.Glob("../scenario/testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no scenarios: %v", err)
	}
	cert, err := pki.SelfSigned("upstream.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name, _ := filepath.Rel("../scenario/testdata", file)
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sc, err := scenario.Parse(file, data)
			if err != nil {
				t.Fatal(err)
			}
			walked, problems, err := sc.Run(t.Context())
			if err != nil {
				t.Fatalf("%v\n%v", err, problems)
			}
			st := newStage(t, sc, cert)
			for i := range sc.Requests {
				r := &sc.Requests[i]
				t.Run(fmt.Sprintf("line %d", r.Line), func(t *testing.T) { st.play(t, r, &walked[i]) })
			}
		})
	}
}

// stage is a server with a scenario's manifests, and its endpoints.
type stage struct {
	*Server
	dice *dice
	mu   sync.Mutex
	got  map[string]*http.Request // by the endpoint's address
}

// dice is the world of scenarios; what the dice show is set for each request.
type dice struct {
	plan.Closed
	show   atomic.Uint64
	tokens *jwt.Store
}

func (d *dice) world() scenario.World {
	return scenario.World{Dice: math.Float64frombits(d.show.Load()), Tokens: d.tokens}
}
func (d *dice) Verify(r *plan.TokenRule, token string, now time.Time) (*match.Token, plan.TokenFailure) {
	return d.world().Verify(r, token, now)
}
func (d *dice) Login(p *plan.LoginProvider, v *plan.Visit) plan.Entry { return d.world().Login(p, v) }
func (d *dice) Now() time.Time                                        { return d.world().Now() }
func (d *dice) Chance() float64                                       { return d.world().Chance() }
func (d *dice) ID() [16]byte                                          { return d.world().ID() }

func newStage(t *testing.T, sc *scenario.Scenario, cert *tls.Certificate) *stage {
	t.Helper()
	st := &stage{dice: &dice{tokens: jwt.New(jwt.Options{Offline: true})}, got: map[string]*http.Request{}}
	o := Options{
		HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0", Drain: time.Minute, World: st.dice,
		Manifests: Manifests{Source: sc.Source(), Compile: sc.Options(func(u scenario.Up) string { return st.endpoint(t, cert, st.handler(sc, u)) })},
	}
	o.Compile.HTTPSPort = 443 // as the walk has it
	for _, r := range sc.Requests {
		if d := (Direct{Key: r.Via, Address: "127.0.0.1:0"}); r.Via != plan.Edge && !slices.Contains(o.Direct, d) {
			o.Direct = append(o.Direct, d)
		}
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	st.Server = s
	t.Cleanup(func() {
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		for _, socket := range s.sockets {
			socket.Close()
		}
	})
	return st
}

// handler is what answers at an endpoint: an authorizer, or an application that
// answers 200 and notes what it gets.
func (st *stage) handler(sc *scenario.Scenario, u scenario.Up) http.Handler {
	for i := range sc.Authorizers {
		if a := &sc.Authorizers[i]; a.Namespace == u.Namespace && a.Service == u.Service && a.Port == u.Port {
			return authorizer{a}
		}
	}
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if strings.Contains(r.Host, "-shadow") {
			return // a mirror's copy
		}
		address := r.Context().Value(http.LocalAddrContextKey).(net.Addr).String()
		st.mu.Lock()
		defer st.mu.Unlock()
		st.got[address] = r
	})
}

// authorizer answers as the scenario says.
type authorizer struct{ *scenario.Authorizer }

func (a authorizer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	reply := a.Answer(r.RequestURI, fieldsOf(r.Header), len(body))
	w.Header()["Content-Type"] = nil // none is guessed
	for _, f := range reply.Header {
		w.Header()[http.CanonicalHeaderKey(f.Name)] = append(w.Header()[http.CanonicalHeaderKey(f.Name)], f.Value)
	}
	w.WriteHeader(reply.Status)
	io.WriteString(w, reply.Text)
}

// endpoint starts an HTTP server and returns its address. It speaks HTTP/1.1 and
// HTTP/2, in plain text and over TLS.
func (st *stage) endpoint(t *testing.T, cert *tls.Certificate, handler http.Handler) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	srv := &http.Server{
		Protocols: new(http.Protocols),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{"h2", "http/1.1"}},
		Handler:   handler,
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	plain, secure := sort(ln)
	go srv.Serve(plain)
	go srv.ServeTLS(secure, "", "")
	t.Cleanup(func() { srv.Close(); ln.Close() })
	return address
}

// play sends the request and compares what becomes of it.
func (st *stage) play(t *testing.T, r *scenario.Request, walked *scenario.Outcome) {
	st.dice.show.Store(math.Float64bits(r.Chance))
	got, err := st.send(r, protocol{"http/1.1", exchange1})
	if strings.HasPrefix(walked.Reason, "no server of ") {
		// Between layers this is the outer layer's answer; a client sees the connection fail.
		if err == nil && (got.Backend != "" || got.Status < 400) {
			t.Errorf("got %s on a connection that no server takes", got.String())
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	st.compare(t, r, got, walked)
	for _, c := range []struct {
		of            string
		socket, alone any
	}{
		{"outcome", got.String(), walked.String()},
		{"Host of the upstream", got.Host, walked.Host},
		{"body", got.Body, walked.Body},
		{"headers of the upstream", listing(got.Got), listing(walked.Got)},
		{"headers of the answer", listing(got.Answer), listing(walked.Answer)},
	} {
		if c.socket != c.alone {
			t.Errorf("%s: over sockets\n%v\nby the walk\n%v", c.of, c.socket, c.alone)
		}
	}
	if got, err = st.send(r, protocol{"h2", exchange2}); err != nil {
		t.Fatalf("over HTTP/2: %v", err)
	}
	st.compare(t, r, got, walked)
}

// compare compares an outcome over sockets with the expected one.
func (st *stage) compare(t *testing.T, r *scenario.Request, got, walked *scenario.Outcome) {
	t.Helper()
	if got.Backend != "" {
		got.Backend = st.backendName(got.Backend, walked.Backend)
	}
	for _, bad := range r.Compare(got) {
		t.Error(bad)
	}
}

// send sends the request and reads the answer. Backend is the address of the
// endpoint that got it.
func (st *stage) send(r *scenario.Request, over protocol) (*scenario.Outcome, error) {
	st.mu.Lock()
	clear(st.got)
	st.mu.Unlock()
	conn, err := st.dial(r, over.name)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	began := time.Now()
	resp, err := over.exchange(conn, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	o := &scenario.Outcome{Status: resp.StatusCode, Body: string(body), Answer: fieldsOf(resp.Header), Delay: time.Since(began)}
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.got) > 1 {
		return nil, fmt.Errorf("%d endpoints got the request", len(st.got))
	}
	for address, req := range st.got {
		o.Backend, o.Method, o.Target, o.Host, o.Got = address, req.Method, req.RequestURI, req.Host, fieldsOf(req.Header)
	}
	return o, nil
}

// protocol is a version of HTTP: its name in TLS, and how to speak it.
type protocol struct {
	name     string
	exchange func(net.Conn, *scenario.Request) (*http.Response, error)
}

// exchange1 speaks HTTP/1.1.
func exchange1(conn net.Conn, r *scenario.Request) (*http.Response, error) {
	go writeRequest(conn, r) // the answer may come before the end of the body
	return http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.Method})
}

// exchange2 speaks HTTP/2. The target goes out as it is.
func exchange2(conn net.Conn, r *scenario.Request) (*http.Response, error) {
	c, err := new(http2.Transport).NewClientConn(conn)
	if err != nil {
		return nil, err
	}
	req := &http.Request{
		Method: r.Method, Host: r.Host, Header: http.Header{"User-Agent": nil},
		URL: &url.URL{Scheme: "http", Host: r.Host, Opaque: "//" + r.Host + r.Target},
	}
	for _, f := range r.Header {
		req.Header.Add(f.Name, f.Value)
	}
	if r.Body > 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(make([]byte, r.Body))), r.Body
	}
	if r.Chunked {
		req.ContentLength = -1
	}
	return c.RoundTrip(req)
}

func (st *stage) dial(r *scenario.Request, protocol string) (net.Conn, error) {
	socket := r.Via
	if r.Via == plan.Edge {
		socket = map[bool]string{false: "http", true: "https"}[r.Secure]
	}
	address := st.Addr(socket)
	if address == nil {
		return nil, errors.New("there is no socket for " + socket)
	}
	if r.Secure {
		return tls.Dial("tcp", address.String(), &tls.Config{InsecureSkipVerify: true, ServerName: r.SNI, NextProtos: []string{protocol}})
	}
	return net.Dial("tcp", address.String())
}

func writeRequest(w io.Writer, r *scenario.Request) {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s %s HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n", r.Method, r.Target, r.Host)
	for _, f := range r.Header {
		fmt.Fprintf(b, "%s: %s\r\n", f.Name, f.Value)
	}
	body := make([]byte, r.Body)
	switch {
	case r.Chunked:
		fmt.Fprintf(b, "transfer-encoding: chunked\r\n\r\n")
		for piece := range slices.Chunk(body, 1000) {
			fmt.Fprintf(b, "%x\r\n%s\r\n", len(piece), piece)
		}
		b.WriteString("0\r\n\r\n")
	case r.Body > 0:
		fmt.Fprintf(b, "content-length: %d\r\n\r\n", r.Body)
		b.Write(body)
	default:
		b.WriteString("\r\n")
	}
	b.Flush()
}

// backendName names the backend that has the endpoint: the wanted one, if that
// has it too.
func (st *stage) backendName(address, wanted string) string {
	var names []string
	for _, b := range st.plan.Load().Backends() {
		if slices.ContainsFunc(b.Endpoints, func(e plan.Endpoint) bool { return e.Address == address }) {
			names = append(names, scenario.BackendName(b))
		}
	}
	if slices.Contains(names, wanted) {
		return wanted
	}
	return strings.Join(names, " or ")
}

// framing are the fields that belong to a connection or to the moment, which a
// walk knows nothing of.
var framing = [...]string{"connection", "content-length", "transfer-encoding", "date"}

func fieldsOf(h http.Header) header.Fields {
	var f header.Fields
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, v := range h[name] {
			f.Add(strings.ToLower(name), v)
		}
	}
	return f
}

// listing is the fields of a message, sorted, a line each.
func listing(f header.Fields) string {
	var lines []string
	for _, name := range names(f) {
		v, _ := f.Joined(name, ",")
		if name == "x-envoy-upstream-service-time" {
			v = "(some)"
		}
		if !slices.Contains(framing[:], name) {
			lines = append(lines, name+": "+v)
		}
	}
	return strings.Join(lines, "\n")
}

func names(f header.Fields) []string {
	var all []string
	for i := range f {
		all = append(all, f[i].Name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// sort splits the connections of a socket into those in plain text and those
// that begin with a TLS handshake.
func sort(ln net.Listener) (plain, secure net.Listener) {
	p := &sorted{Listener: ln, conns: make(chan net.Conn), end: make(chan struct{})}
	s := &sorted{Listener: ln, conns: make(chan net.Conn), end: p.end}
	go func() {
		defer close(p.end)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				b := bufio.NewReader(c)
				first, err := b.Peek(1)
				if err != nil {
					c.Close()
					return
				}
				to := p
				if first[0] == 0x16 {
					to = s
				}
				select {
				case to.conns <- peeked{c, b}:
				case <-p.end:
					c.Close()
				}
			}()
		}
	}()
	return p, s
}

type sorted struct {
	net.Listener
	conns chan net.Conn
	end   chan struct{}
}

func (s *sorted) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.end:
		return nil, net.ErrClosed
	}
}

// peeked is a connection of which something was read already.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }
