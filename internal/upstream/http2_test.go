package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// h2server runs handler for HTTP/2: in plain text, or over TLS.
func h2server(t *testing.T, tls bool, handler http.HandlerFunc) *httptest.Server {
	s := httptest.NewUnstartedServer(handler)
	s.Config.Protocols = new(http.Protocols)
	if tls {
		s.EnableHTTP2 = true
		s.Config.Protocols.SetHTTP2(true)
		s.StartTLS()
	} else {
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// h2backend is a backend of s, whose certificate is verified.
func h2backend(s *httptest.Server) *plan.Backend {
	b := backend("h2", s.Listener.Addr().String())
	b.Protocol = plan.HTTP2
	if s.TLS != nil {
		b.TLS = &plan.UpstreamTLS{Name: "example.com", Verify: true, Roots: rootsOf(s), Digest: "d"}
	}
	return b
}

func request(t *testing.T, ctx context.Context, method string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, "http://app.example/path?q=1", body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// pipeListener is a listener in memory, for servers in a bubble.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// h2pooled returns an endpoint over HTTP/2 in memory, with these bounds, whose
// upstream allows so many streams for each connection.
func h2pooled(t *testing.T, bounds plan.Pool, streams int, handler http.HandlerFunc) *Endpoint {
	l := &pipeListener{make(chan net.Conn), make(chan struct{})}
	s := &http.Server{
		Handler: handler, Protocols: new(http.Protocols), ErrorLog: log.New(io.Discard, "", 0),
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: streams},
	}
	s.Protocols.SetUnencryptedHTTP2(true)
	go s.Serve(l)
	t.Cleanup(func() {
		close(l.done)
		s.Close()
	})
	b := backend("a", "10.0.0.1:80")
	b.Protocol, b.Pool = plan.HTTP2, bounds
	return endpointOf(t, newManager(t, Options{Dial: l.dial}), b)
}

// stream is a request that lasts until it is ended.
type openStream struct {
	body *io.PipeWriter
	resp *http.Response
}

// open sends a request and returns when the response's head is there.
func open(t *testing.T, e *Endpoint) openStream {
	t.Helper()
	r, w := io.Pipe()
	resp, err := e.RoundTrip(request(t, t.Context(), "POST", r))
	if err != nil {
		t.Fatalf("RoundTrip: %v", err)
	}
	return openStream{w, resp}
}

// end ends the request, and then the response.
func (s openStream) end(t *testing.T) {
	t.Helper()
	s.body.Close()
	if _, err := io.ReadAll(s.resp.Body); err != nil {
		t.Errorf("end of a response: %v", err)
	}
	s.resp.Body.Close()
}

// fetch does a whole exchange.
func fetch(t *testing.T, e *Endpoint) {
	t.Helper()
	resp, err := e.RoundTrip(request(t, t.Context(), "GET", nil))
	if err != nil {
		t.Fatalf("RoundTrip: %v", err)
	}
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Errorf("body: %v", err)
	}
	resp.Body.Close()
}

// echo sends the request's body back as it comes, and its trailer as a trailer.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "Sum")
	w.Header().Set("Seen", r.Method+" "+r.Host+" "+r.RequestURI+" "+r.UserAgent()+"|"+r.Header.Get("Accept-Encoding"))
	w.WriteHeader(200)
	http.NewResponseController(w).Flush()
	buf := make([]byte, 1024)
	for {
		n, err := r.Body.Read(buf)
		w.Write(buf[:n])
		http.NewResponseController(w).Flush()
		if err != nil {
			break
		}
	}
	w.Header().Set("Sum", r.Trailer.Get("Sum")+"!")
}

func TestHTTP2StreamsBothWaysWithTrailers(t *testing.T) {
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			s := h2server(t, tls, echo)
			m := newManager(t, Options{})
			e := endpointOf(t, m, h2backend(s))
			r, w := io.Pipe()
			req := request(t, t.Context(), "POST", r)
			req.Trailer = http.Header{"Sum": nil}
			resp, err := e.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got, want := resp.Header.Get("Seen"), "POST app.example /path?q=1 |"; got != want {
				t.Errorf("the upstream saw %q, want %q", got, want)
			}
			buf := make([]byte, 5)
			for _, piece := range []string{"first", "other"} {
				io.WriteString(w, piece)
				if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != piece {
					t.Fatalf("echo: got %q, %v, want %q", buf, err, piece)
				}
			}
			req.Trailer.Set("Sum", "ten")
			w.Close()
			if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
				t.Errorf("end of the body: got %q, %v", rest, err)
			}
			if got := resp.Trailer.Get("Sum"); got != "ten!" {
				t.Errorf("trailer: got %q, want %q", got, "ten!")
			}
		})
	}
}

func TestHTTP2WithoutALPNFails(t *testing.T) {
	for name, protocols := range map[string][]string{"none": nil, "HTTP/1.1": {"http/1.1"}} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.NotFoundHandler())
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
				return &tls.Config{Certificates: s.TLS.Certificates, NextProtos: protocols}, nil
			}}
			s.StartTLS()
			defer s.Close()
			e := endpointOf(t, newManager(t, Options{}), h2backend(s))
			_, err := e.RoundTrip(request(t, t.Context(), "GET", nil))
			var dial *DialError
			if !errors.As(err, &dial) || dial.Reason != TLSFailed || !strings.Contains(err.Error(), "does not agree to HTTP/2") {
				t.Errorf("got %v, want a DialError that tells of HTTP/2", err)
			}
		})
	}
}

func TestHTTP2IsNotDecoded(t *testing.T) {
	s := h2server(t, false, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		io.WriteString(w, "as it is")
	})
	resp, err := endpointOf(t, newManager(t, Options{}), h2backend(s)).RoundTrip(request(t, t.Context(), "GET", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "as it is" || err != nil || resp.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("got %q, %v, %v, want what the upstream sent", body, err, resp.Header)
	}
}

func TestHTTP2HeadIsBounded(t *testing.T) {
	s := h2server(t, false, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Long", strings.Repeat("x", 200<<10)) })
	if resp, err := endpointOf(t, newManager(t, Options{}), h2backend(s)).RoundTrip(request(t, t.Context(), "GET", nil)); err == nil {
		resp.Body.Close()
		t.Error("a response head of 200 KiB was accepted, want no more than the limit of HTTP/1.1, 60 KiB")
	}
}

// With SameAsClient both protocols are spoken to one endpoint.
func TestSameAsClientSpeaksBoth(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	b := h2backend(s)
	b.Protocol, b.Pool.MaxConnections = plan.SameAsClient, 1
	e := endpointOf(t, newManager(t, Options{}), b)
	c := conn(t, e, Want{})
	get(t, c)
	e.Put(c)
	resp, err := e.RoundTrip(request(t, t.Context(), "GET", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "HTTP/2.0" {
		t.Errorf("RoundTrip: the upstream saw %s, want HTTP/2.0", body)
	}
}

func TestHTTP2RequestsShareAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := h2pooled(t, plan.Pool{}, 100, echo)
		var all []openStream
		for range 5 {
			all = append(all, open(t, e))
		}
		for _, s := range all {
			s.end(t)
		}
		fetch(t, e)
		if s := e.stats(0); s.Opened != 1 || s.Reused != 5 || s.Connections != 1 || s.Idle != 1 {
			t.Errorf("%+v, want one connection, used 5 times more, at rest", s)
		}
	})
}

func TestHTTP2TakesMoreConnectionsAtTheStreamLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := h2pooled(t, plan.Pool{}, 2, echo)
		fetch(t, e) // from now on the limit is known
		var all []openStream
		for range 5 {
			all = append(all, open(t, e))
		}
		if s := e.stats(0); s.Connections != 3 {
			t.Errorf("5 requests, 2 for each connection: %d connections, want 3", s.Connections)
		}
		for _, s := range all {
			s.end(t)
		}
	})
}

func TestHTTP2WaitsForAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := h2pooled(t, plan.Pool{MaxConnections: 1, MaxPending: 2}, 1, echo)
		fetch(t, e)
		first := open(t, e)
		got := make(chan error, 2)
		ctx, cancel := context.WithCancel(t.Context())
		for _, ctx := range []context.Context{ctx, t.Context()} {
			go func() {
				resp, err := e.RoundTrip(request(t, ctx, "GET", nil))
				if err == nil {
					io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				got <- err
			}()
			synctest.Wait()
		}
		if n := len(got); n != 0 {
			t.Fatalf("%d requests did not wait: %v", n, <-got)
		}
		if _, err := e.RoundTrip(request(t, t.Context(), "GET", nil)); err != ErrOverflow {
			t.Errorf("beyond http1MaxPendingRequests: got %v, want ErrOverflow", err)
		}
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Errorf("a context that ends: got %v, want its error", err)
		}
		first.end(t)
		if err := <-got; err != nil {
			t.Errorf("when a stream has ended: %v", err)
		}
	})
}

// A burst at a cold endpoint: one connection after the other is made until all
// are served, although nobody new asks.
func TestHTTP2BurstIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		e := h2pooled(t, plan.Pool{}, 250, func(w http.ResponseWriter, r *http.Request) { <-release })
		got := make(chan error)
		const n = 350
		for range n {
			go func() {
				resp, err := e.RoundTrip(request(t, t.Context(), "GET", nil))
				if err == nil {
					resp.Body.Close()
				}
				got <- err
			}()
		}
		synctest.Wait()
		if c := e.cluster.stats(0); c.Pending != 0 || c.Connections < 2 {
			t.Errorf("pending %d on %d connections, want 0 on two or more", c.Pending, c.Connections)
		}
		close(release)
		for range n {
			if err := <-got; err != nil {
				t.Fatal(err)
			}
		}
	})
}

// An upstream that allows no stream at all is not dialed over and over.
func TestHTTP2WithoutAnyStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		b := backend("a", "10.0.0.1:80")
		e := endpointOf(t, newManager(t, Options{Dial: func(context.Context, string, string) (net.Conn, error) {
			made++
			near, far := net.Pipe()
			go func() {
				// SETTINGS with MAX_CONCURRENT_STREAMS 0
				go io.Copy(io.Discard, far)
				far.Write([]byte{0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0})
			}()
			return near, nil
		}}), b)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			resp, err := e.RoundTrip(request(t, ctx, "GET", nil))
			if err == nil {
				resp.Body.Close()
				t.Error("got a response")
			}
			cancel()
		}
		if made > 3 {
			t.Errorf("%d connections made for 3 requests", made)
		}
	})
}

// Responses that nobody reads do not hold up others on the same connection.
func TestHTTP2SlowReadersHoldNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := h2pooled(t, plan.Pool{}, 200, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				w.Write(make([]byte, 1<<20))
			} else {
				io.WriteString(w, "quick")
			}
		})
		var all []*http.Response
		for range 90 {
			resp, err := e.RoundTrip(request(t, t.Context(), "POST", nil))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, resp)
		}
		synctest.Wait() // all of them are stuck
		fetch(t, e)
		if s := e.stats(0); s.Opened != 1 {
			t.Errorf("%d connections made, want all on one", s.Opened)
		}
		for _, resp := range all {
			resp.Body.Close()
		}
	})
}

func TestHTTP2CancellationEndsTheStreamOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		canceled := make(chan struct{})
		e := h2pooled(t, plan.Pool{}, 100, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "GET" {
				return
			}
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(canceled)
		})
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := e.RoundTrip(request(t, ctx, "POST", nil))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		<-canceled
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
			t.Errorf("body: got %v, want the context's error", err)
		}
		resp.Body.Close()
		fetch(t, e)
		if s := e.stats(0); s.Opened != 1 {
			t.Errorf("%d connections made, want the first to serve on", s.Opened)
		}
	})
}

// The request that began to connect goes away; who waits with it is served.
func TestHTTP2ConnectingOutlivesItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := h2pooled(t, plan.Pool{}, 100, echo)
		hold, dial := make(chan struct{}), e.cluster.m.options.Dial
		e.cluster.m.options.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			<-hold
			return dial(ctx, network, address)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := e.RoundTrip(request(t, ctx, "GET", nil))
			gone <- err
		}()
		synctest.Wait()
		served := make(chan struct{})
		go func() {
			fetch(t, e)
			close(served)
		}()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the first: got %v, want its context's error", err)
		}
		close(hold)
		<-served
		if s := e.stats(0); s.Opened != 1 {
			t.Errorf("%d connections made, want 1", s.Opened)
		}
	})
}

func TestHTTP2ConnectionsEndUnused(t *testing.T) {
	for name, test := range map[string]struct {
		pool plan.Pool
		end  func(t *testing.T, e *Endpoint)
	}{
		"no plan names it":    {plan.Pool{}, func(t *testing.T, e *Endpoint) { e.cluster.m.Sync(planOf()) }},
		"idleTimeout":         {plan.Pool{IdleTimeout: 5 * time.Second}, func(t *testing.T, e *Endpoint) { time.Sleep(7 * time.Second) }},
		"older than its time": {plan.Pool{MaxConnectionAge: 5 * time.Second}, func(t *testing.T, e *Endpoint) { time.Sleep(7 * time.Second) }},
		"requests used up":    {plan.Pool{PerConnection: 2}, func(t *testing.T, e *Endpoint) { fetch(t, e) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := h2pooled(t, test.pool, 100, echo)
				fetch(t, e)
				test.end(t, e)
				synctest.Wait()
				if s := e.stats(0); s.Connections != 0 {
					t.Errorf("%d connections, want 0", s.Connections)
				}
			})
			synctest.Test(t, func(t *testing.T) {
				if test.pool.IdleTimeout != 0 {
					return // one in use is not idle
				}
				e := h2pooled(t, test.pool, 100, echo)
				s := open(t, e)
				test.end(t, e)
				io.WriteString(s.body, "still there")
				if _, err := io.ReadFull(s.resp.Body, make([]byte, 11)); err != nil {
					t.Errorf("an exchange under way: %v", err)
				}
				s.end(t)
				synctest.Wait()
				if s := e.stats(0); s.Connections != 0 {
					t.Errorf("after the exchange: %d connections, want 0", s.Connections)
				}
			})
		})
	}
}

func TestHTTP2InUseIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := h2pooled(t, plan.Pool{IdleTimeout: time.Second}, 100, echo)
		s := open(t, e)
		time.Sleep(time.Minute)
		s.end(t)
		time.Sleep(500 * time.Millisecond)
		fetch(t, e)
		if s := e.stats(0); s.Opened != 1 {
			t.Errorf("%d connections made, want the first to live on", s.Opened)
		}
	})
}

// In a cluster that no plan names requests work, and nothing is kept.
func TestHTTP2InARetiredCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := h2pooled(t, plan.Pool{}, 100, echo)
		e.cluster.m.Sync(planOf())
		fetch(t, e)
		synctest.Wait()
		if s := e.stats(0); s.Opened != 1 || s.Connections != 0 {
			t.Errorf("made %d, open %d, want 1 and 0", s.Opened, s.Connections)
		}
	})
}

func TestHTTP2CloseWaitsAndInterrupts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := h2pooled(t, plan.Pool{}, 100, echo)
		m := e.cluster.m
		s := open(t, e)
		closed := make(chan error, 1)
		go func() { closed <- m.Close(context.Background()) }()
		synctest.Wait()
		if len(closed) != 0 {
			t.Fatal("Close returned while an exchange was under way")
		}
		s.end(t)
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
		if _, err := e.RoundTrip(request(t, t.Context(), "GET", nil)); err != ErrClosed {
			t.Errorf("RoundTrip after Close: got %v, want ErrClosed", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		e := h2pooled(t, plan.Pool{}, 100, echo)
		s := open(t, e)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := e.cluster.m.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: got %v, want the context's error", err)
		}
		if _, err := io.ReadAll(s.resp.Body); err == nil {
			t.Error("the exchange under way was not interrupted")
		}
		s.resp.Body.Close()
	})
}

// frames answers the first request with these bytes of HTTP/2.
func frames(t *testing.T, after string) *Endpoint {
	b := backend("a", "10.0.0.1:80")
	return endpointOf(t, newManager(t, Options{Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			r := bufio.NewReader(far)
			r.Discard(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
			far.Write([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00")) // SETTINGS
			for {
				var head [9]byte
				if _, err := io.ReadFull(r, head[:]); err != nil {
					return
				}
				r.Discard(int(head[0])<<16 | int(head[1])<<8 | int(head[2]))
				if head[3] == 1 { // HEADERS
					go far.Write([]byte(after)) // the client may be writing, too
				}
			}
		}()
		return near, nil
	}}), b)
}

func TestUntouched(t *testing.T) {
	for name, test := range map[string]struct {
		frames string
		want   bool
	}{
		"refused stream":       {"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x07", true},
		"going away before it": {"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", true},
		"internal error":       {"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x02", false},
		"end of connection":    {"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02garbage", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := frames(t, test.frames)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				resp, err := e.RoundTrip(request(t, ctx, "GET", nil))
				if err == nil {
					resp.Body.Close()
					t.Fatal("no error")
				}
				if got := Untouched(err); got != test.want {
					t.Errorf("Untouched(%v): got %t, want %t", err, got, test.want)
				}
			})
		})
	}
	if Untouched(nil) || Untouched(ErrClosed) {
		t.Error("Untouched: true without reason")
	}
}

// Whatever is canceled at whatever moment, everybody else is served and nothing
// is lost: at the end no connection is counted.
func TestHTTP2WaitersAndCancellations(t *testing.T) {
	s := h2server(t, false, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 3}
	b := h2backend(s)
	b.Pool = plan.Pool{MaxConnections: 2, PerConnection: 20}
	m := newManager(t, Options{})
	e := endpointOf(t, m, b)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for n := range 40 {
				ctx, cancel := context.WithCancel(context.Background())
				cancels := (i+n)%4 == 0
				if cancels {
					go cancel()
				}
				resp, err := e.RoundTrip(request(t, ctx, "POST", strings.NewReader("hello")))
				if err == nil {
					var body []byte
					body, err = io.ReadAll(resp.Body)
					resp.Body.Close()
					if err == nil && string(body) != "hello" {
						t.Errorf("got %q", body)
					}
				}
				// net/http's server resets streams beyond a limit that we cannot know yet.
				var early streamError
				if errors.As(err, &early) && early.Code == 1 {
					err = nil
				}
				if err != nil && !cancels && !Untouched(err) {
					t.Errorf("a request that nobody canceled: %v", err)
				}
				cancel()
			}
		})
	}
	all.Wait()
	m.Sync(planOf())
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := m.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if s := e.cluster.stats(0); s.Connections != 0 || s.Pending != 0 {
		t.Errorf("at the end: connections %d, pending %d, want 0", s.Connections, s.Pending)
	}
}
