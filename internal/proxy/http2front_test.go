package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/doorward/doorward/internal/plan"
)

// frames is a client that speaks HTTP/2 frame by frame.
type frames struct {
	*http2.Framer
	t   *testing.T
	nc  net.Conn
	enc *hpack.Encoder
	buf bytes.Buffer
}

func (r *rig) frames() *frames {
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(nc, http2.ClientPreface)
	f := &frames{Framer: http2.NewFramer(nc, nc), t: r.t.(*testing.T), nc: nc}
	f.enc = hpack.NewEncoder(&f.buf)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.WriteSettings()
	return f
}

// request sends a GET with further fields as name, value.
func (f *frames) request(stream uint32, fields ...string) {
	f.buf.Reset()
	pairs := append([]string{":method", "GET", ":scheme", "http", ":path", "/x?y", ":authority", "a.example"}, fields...)
	for i := 0; i < len(pairs); i += 2 {
		f.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.buf.Bytes(), EndStream: true, EndHeaders: true})
}

// answer reads on to the head or the reset of a stream, and tells it.
func (f *frames) answer() string {
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return "the connection's end"
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			return frame.PseudoValue("status")
		case *http2.RSTStreamFrame:
			return frame.ErrCode.String()
		case *http2.GoAwayFrame:
			return "GOAWAY " + frame.ErrCode.String()
		}
	}
}

// What goes upstream over HTTP/1.1 for a request over HTTP/2.
func TestHTTP2RequestUpstream(t *testing.T) {
	seen := make(chan string, 1)
	up := rude(t, func(nc net.Conn) {
		b := make([]byte, 4<<10)
		n, _ := nc.Read(b)
		seen <- string(b[:n])
		io.WriteString(nc, "HTTP/1.1 200 OK\r\nConnection: close, x-gone\r\nX-Gone: 1\r\nKeep-Alive: 5\r\nX-Kept: 1\r\nContent-Length: 0\r\n\r\n")
	})
	r := newRig(t, plan.Edge, nil, edge(to(backend("up", up))))
	f := r.frames()
	f.request(1, "cookie", "a=1", "cookie", "b=2", "te", "trailers", "x-one", "1")
	lines := strings.Split(strings.TrimSpace(<-seen), "\r\n")
	if lines[0] != "GET /x?y HTTP/1.1" || lines[1] != "host: a.example" {
		t.Errorf("got %q", lines)
	}
	var rest []string
	for _, l := range lines[2:] {
		if !strings.HasPrefix(l, "x-f") && !strings.HasPrefix(l, "x-r") && !strings.HasPrefix(l, "x-sc") {
			rest = append(rest, l)
		}
	}
	sort.Strings(rest)
	if got, want := strings.Join(rest, "; "), "cookie: a=1; b=2; te: trailers; x-one: 1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		head, ok := frame.(*http2.MetaHeadersFrame)
		if !ok {
			continue
		}
		var names []string
		for _, h := range head.RegularFields() {
			names = append(names, h.Name)
		}
		sort.Strings(names)
		if got := strings.Join(names, " "); head.PseudoValue("status") != "200" || got != "content-length date x-kept" {
			t.Errorf("got %s with %q", head.PseudoValue("status"), got)
		}
		return
	}
}

// What HTTP/1.1's parser refuses, HTTP/2 does not smuggle past it.
func TestHTTP2RefusesWhatHTTP1Would(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %q reached the upstream", r.Method, r.RequestURI)
	})
	r := newRig(t, plan.Edge, nil, edge(to(backend("up", up))))
	two := r.frames()
	two.request(1, "host", "evil.example")
	if got := two.answer(); got != "400" && got != "PROTOCOL_ERROR" && got != "GOAWAY PROTOCOL_ERROR" {
		t.Errorf("a Host that is not the :authority: got %s, want a refusal", got)
	}
	for _, c := range []struct{ path, authority, method string }{
		{"/a b", "a", "GET"}, {"/a\r\nx: y", "a", "GET"}, {"*", "a", "GET"}, {"x", "a", "GET"}, {"http://a/", "a", "GET"},
		{"/", "a b", "GET"}, {"/", "user@a", "GET"}, {"/", "", "GET"}, {"/", "a", "GET / HTTP/1.1\r\nx:"}, {"/", "a", "BAD METHOD"},
		{"/", "a:1:2", "GET"},
	} {
		f := r.frames()
		f.buf.Reset()
		for _, p := range [][2]string{{":method", c.method}, {":scheme", "http"}, {":path", c.path}, {":authority", c.authority}} {
			f.enc.WriteField(hpack.HeaderField{Name: p[0], Value: p[1]})
		}
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.buf.Bytes(), EndStream: true, EndHeaders: true})
		if got := f.answer(); got != "400" && got != "PROTOCOL_ERROR" && got != "GOAWAY PROTOCOL_ERROR" {
			t.Errorf("%+v: got %s, want a refusal", c, got)
		}
	}
}

// Many requests share a connection, in both directions.
func TestHTTP2Concurrency(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.URL.Path+" ")
		io.Copy(w, r.Body)
	})
	b := backend("up", up)
	b.Protocol = plan.SameAsClient
	r := newRig(t, gatewayKey, nil, gateway(to(b)))
	client := h2client(t)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			body := strings.Repeat(fmt.Sprint(i), 10_000)
			resp, err := client.RoundTrip(r.request("POST", fmt.Sprint("/", i), strings.NewReader(body)))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if got, err := io.ReadAll(resp.Body); string(got) != fmt.Sprintf("/%d %s", i, body) || err != nil {
				t.Errorf("request %d: got %d bytes, %v", i, len(got), err)
			}
		})
	}
	all.Wait()
}

// An upgrade that goes to an upstream over HTTP/2 is an ordinary request there.
func TestSameAsClient(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
	b := backend("up", up)
	b.Protocol = plan.SameAsClient
	r := newRig(t, gatewayKey, nil, gateway(to(b)))
	for want, client := range map[string]http.RoundTripper{"HTTP/1.1": http.DefaultTransport, "HTTP/2.0": h2client(t)} {
		resp, err := client.RoundTrip(r.request("GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A client that takes nothing, or sends nothing, does not hold its stream for
// ever; a quiet gRPC stream stays.
func TestHTTP2SlowClients(t *testing.T) {
	left := make(chan bool, 1)
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		defer func() { left <- true }()
		if r.Method == "POST" {
			io.Copy(io.Discard, r.Body)
			return
		}
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	r := newRig(t, plan.Edge, func(o *Options) { o.Timeouts.Read, o.Timeouts.Write = 50*time.Millisecond, 50*time.Millisecond },
		edge(to(backend("up", up))))
	f := r.frames()
	f.request(1) // and the window is never opened
	if got := f.answer(); got != "200" {
		t.Fatalf("got %s", got)
	}
	if got := f.answer(); got != "INTERNAL_ERROR" {
		t.Errorf("a client that takes nothing: got %s, want its reset", got)
	}
	<-left

	f = r.frames()
	f.buf.Reset()
	for _, p := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}} {
		f.enc.WriteField(hpack.HeaderField{Name: p[0], Value: p[1]})
	}
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.buf.Bytes(), EndHeaders: true})
	if got := f.answer(); got != "408" {
		t.Errorf("a client that sends nothing: got %s, want 408", got)
	}
	<-left
}
