package proxy

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

func bodyLimit(n int64) func(*plan.Route, *plan.Forward) {
	return func(r *plan.Route, _ *plan.Forward) { r.Guards = append(r.Guards, &plan.BodyLimit{Bytes: n}) }
}

// A body over the limit is 413 in the words of the hop that sets it, and ends
// the connection, announced or not; what fits passes.
func TestBodyLimit(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	g := gateway(to(backend("up", up)))
	r := newRig(t, plan.Edge, nil, edge(to(&plan.Backend{Key: "g", Next: g}, bodyLimit(4))), g)
	for _, c := range []struct{ name, framing, start, end string }{
		{"fits", "Content-Length: 4\r\n\r\n1234", "HTTP/1.1 200 ", "\n\n1234"},
		{"fits in chunks", "Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n0\r\n\r\n", "HTTP/1.1 200 ", ""},
		{"announced", "Content-Length: 5\r\n\r\n", "HTTP/1.1 413 ", "<hr><center>nginx</center>\n</body>\n</html>\n"},
		{"in chunks", "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n", "HTTP/1.1 413 ", "<hr><center>nginx</center>\n</body>\n</html>\n"},
		{"in chunks without end", "Transfer-Encoding: chunked\r\n\r\n3\r\n123\r\n2\r\n45\r\n", "HTTP/1.1 413 ", "<hr><center>nginx</center>\n</body>\n</html>\n"},
	} {
		closing := ""
		if strings.HasPrefix(c.name, "fits") {
			closing = "Connection: close\r\n"
		}
		got := r.raw("POST / HTTP/1.1\r\nHost: a\r\n" + closing + c.framing)
		if !strings.HasPrefix(got, c.start) || !strings.HasSuffix(got, c.end) || !strings.Contains(got, "connection: close\n") {
			t.Errorf("%s: got %q, want %q ... %q", c.name, got, c.start, c.end)
		}
	}
}

func TestBrokenChunksAreRefused(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	r := newRig(t, plan.Edge, nil, edge(to(backend("up", up))))
	got := r.raw("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123\r\nxyz\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 400 ") || strings.Count(got, "HTTP/1.1") != 1 {
		t.Errorf("got %q, want one 400", got)
	}
}

// A client whose body does not come is not waited for without end.
func TestSlowBody(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	r := newRig(t, plan.Edge, func(o *Options) { o.Timeouts.Read = 30 * time.Millisecond }, edge(to(backend("up", up))))
	if got := r.raw("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12"); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
		t.Errorf("got %q, want 408", got)
	}
}

// Mirrors get the request as it goes out, and nobody waits for them.
func TestMirror(t *testing.T) {
	seen, hold := make(chan string, 4), make(chan bool)
	mirror := origin(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen <- r.Method + " " + r.Host + r.RequestURI + " " + string(body) + " " + r.Header.Get("X-Set")
		<-hold
	})
	defer close(hold)
	up := origin(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	for _, protocol := range []plan.Protocol{plan.HTTP1, plan.HTTP2} {
		m := backend("mirror", mirror)
		m.Protocol = protocol
		set := &plan.HeaderRoute{}
		set.Request.Set = []plan.HeaderValue{{Name: "x-set", Value: plan.Literal("1")}}
		r := newRig(t, gatewayKey, nil, gateway(to(backend("up", up), func(route *plan.Route, f *plan.Forward) {
			route.Filters = []plan.Filter{&plan.Mirror{Backend: m, Share: 1}, set}
			f.Rewrite = &plan.Rewrite{Whole: true, With: "/new"}
		})))
		req := r.request("POST", "/old?q", strings.NewReader("body"))
		req.Host = "shop.example"
		if resp, body := r.do(req); resp.StatusCode != 200 || body != "body" {
			t.Errorf("got %d %q", resp.StatusCode, body)
		}
		if got, want := <-seen, "POST shop.example/new?q body 1"; got != want {
			t.Errorf("%s mirror: got %q, want %q", protocol, got, want)
		}
		big := r.request("POST", "/", io.LimitReader(zeros{}, maxMirrorBody+1))
		big.ContentLength = maxMirrorBody + 1
		if resp, body := r.do(big); resp.StatusCode != 200 || len(body) != maxMirrorBody+1 {
			t.Errorf("a large body: got %d and %d bytes", resp.StatusCode, len(body))
		}
		r.Shutdown(t.Context()) // what is not sent is counted behind the answer
		if c := r.Counts(); c.Mirrored != 1 || c.NotMirrored != 1 {
			t.Errorf("counted %+v, want one copy sent and one not", c)
		}
	}
}

// A delay comes before everything; a client that leaves meanwhile ends it.
func TestInjectedDelay(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {})
	fault := &plan.Fault{Delay: 150 * time.Millisecond, DelayShare: 1}
	r := newRig(t, gatewayKey, nil, gateway(to(backend("up", up), func(route *plan.Route, f *plan.Forward) {
		route.Filters = []plan.Filter{fault}
		f.Limits.Total = 100 * time.Millisecond
	})))
	start := time.Now()
	if resp, _ := r.get("/"); resp.StatusCode != 200 {
		t.Errorf("the delay counted towards the timeout: got %d", resp.StatusCode)
	}
	if took := time.Since(start); took < fault.Delay {
		t.Errorf("took %v, want the delay of %v at least", took, fault.Delay)
	}
	r.swap(gateway(to(backend("up", up), func(route *plan.Route, f *plan.Forward) {
		route.Filters = []plan.Filter{&plan.Fault{Delay: time.Hour, DelayShare: 1}}
	})))
	client := &http.Client{Timeout: 20 * time.Millisecond}
	if _, err := client.Get("http://" + r.addr); err == nil {
		t.Error("an hour has passed")
	}
	// newRig's cleanup fails unless the exchange has ended.
}

// One request's failure of our own is a 500, and nothing else notices.
func TestPanicIsOneRequests(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {})
	boom := to(backend("up", up), func(r *plan.Route, _ *plan.Forward) {
		r.Rule = match.Rule{Path: match.Text{Op: match.Exact, Value: "/boom"}}
		r.Guards = []plan.Guard{(*plan.BodyLimit)(nil)}
	})
	r := newRig(t, gatewayKey, nil, gateway(boom, to(backend("up", up))))
	for path, want := range map[string]int{"/boom": 500, "/": 200} {
		if resp, _ := r.get(path); resp.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, resp.StatusCode, want)
		}
	}
	if n := r.Counts().Panics; n != 1 {
		t.Errorf("counted %d panics, want 1", n)
	}
}

// An upstream that takes nothing ends the request by the send limit, in the
// words of its hop.
func TestSendLimit(t *testing.T) {
	stop := make(chan bool)
	defer close(stop)
	deaf := rude(t, func(net.Conn) { <-stop })
	mute := origin(t, func(http.ResponseWriter, *http.Request) { <-stop })
	for _, protocol := range []plan.Protocol{plan.HTTP1, plan.HTTP2} {
		b := backend("b", map[plan.Protocol]string{plan.HTTP1: deaf, plan.HTTP2: mute}[protocol])
		b.Protocol = protocol
		r := newRig(t, plan.Edge, nil, edge(to(b, func(_ *plan.Route, f *plan.Forward) { f.Limits.Send = 50 * time.Millisecond })))
		body, send := io.Pipe()
		go io.Copy(send, zeros{})
		resp, page := r.do(r.request("POST", "/", body))
		send.Close()
		if resp.StatusCode != 504 || !strings.Contains(page, "504 Gateway Time-out") {
			t.Errorf("%s: got %d %q, want the edge's 504", protocol, resp.StatusCode, page)
		}
	}
}
