package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// everyWay runs f for HTTP/1.1 and HTTP/2 on either side.
func everyWay(t *testing.T, up http.HandlerFunc, f func(t *testing.T, r *rig, client http.RoundTripper), change ...func(*plan.Route, *plan.Forward)) {
	address := origin(t, up)
	for _, protocol := range []plan.Protocol{plan.HTTP1, plan.HTTP2} {
		for _, major := range []int{1, 2} {
			t.Run(fmt.Sprintf("HTTP/%d to %s", major, protocol), func(t *testing.T) {
				b := backend("up"+protocol.String(), address)
				b.Protocol = protocol
				r := newRig(t, gatewayKey, nil, gateway(to(b, change...)))
				client := h2client(t)
				if major == 1 {
					client = &http.Transport{DisableCompression: true}
					t.Cleanup(client.CloseIdleConnections)
				}
				f(t, r, client)
			})
		}
	}
}

// Both bodies stream: each side waits for the other's piece before the next.
func TestBothBodiesStream(t *testing.T) {
	everyWay(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		c.EnableFullDuplex()
		w.WriteHeader(200)
		c.Flush()
		in := bufio.NewReader(r.Body)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(w, "echo "+line)
			c.Flush()
		}
	}, func(t *testing.T, r *rig, client http.RoundTripper) {
		body, send := io.Pipe()
		req := r.request("POST", "/", body)
		resp, err := client.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		in := bufio.NewReader(resp.Body)
		for i := range 5 {
			fmt.Fprintf(send, "piece %d\n", i)
			if got, err := in.ReadString('\n'); got != fmt.Sprintf("echo piece %d\n", i) {
				t.Fatalf("got %q, %v", got, err)
			}
		}
		send.Close()
		if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil {
			t.Errorf("behind the end: got %q, %v", rest, err)
		}
	})
}

// The head and every event come at once, though no further byte follows.
func TestServerSentEvents(t *testing.T) {
	next := make(chan string)
	everyWay(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		for {
			select {
			case event := <-next:
				if event == "" {
					return
				}
				fmt.Fprintf(w, "data: %s\n\n", event)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}, func(t *testing.T, r *rig, client http.RoundTripper) {
		resp, err := client.RoundTrip(r.request("GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		in := bufio.NewReader(resp.Body)
		for _, event := range []string{"a", "b"} {
			next <- event
			got, _ := in.ReadString('\n')
			in.ReadString('\n')
			if got != "data: "+event+"\n" {
				t.Fatalf("got %q, want event %q", got, event)
			}
		}
		next <- ""
		if _, err := io.ReadAll(in); err != nil {
			t.Error(err)
		}
	})
}

func TestTrailersBothWays(t *testing.T) {
	everyWay(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
		w.Header().Set("X-Sum", "got "+r.Trailer.Get("X-Up"))
	}, func(t *testing.T, r *rig, client http.RoundTripper) {
		req := r.request("POST", "/", io.MultiReader(strings.NewReader("body")))
		req.Trailer = http.Header{"X-Up": {"1"}}
		req.Header.Set("TE", "trailers")
		resp, err := client.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != "body" || resp.Trailer.Get("X-Sum") != "got 1" {
			t.Errorf("got %q, %v, trailers %v", body, err, resp.Trailer)
		}
	})
}

func TestInterimResponses(t *testing.T) {
	everyWay(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(103)
		w.Header().Del("Link")
		w.WriteHeader(204)
	}, func(t *testing.T, r *rig, client http.RoundTripper) {
		var hints []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
			return nil
		}})
		resp, err := client.RoundTrip(r.request("GET", "/", nil).WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if len(hints) != 1 || hints[0] != "103 </style.css>; rel=preload" || resp.StatusCode != 204 || resp.Header.Get("Link") != "" {
			t.Errorf("got %v, then %d %v", hints, resp.StatusCode, resp.Header)
		}
	})
}

// The upstream answers while most of a large upload is still to come.
func TestEarlyAnswerToLargeUpload(t *testing.T) {
	everyWay(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
	}, func(t *testing.T, r *rig, client http.RoundTripper) {
		body, send := io.Pipe()
		defer send.Close()
		go io.CopyN(send, zeros{}, 1<<30)
		resp, err := client.RoundTrip(r.request("POST", "/", body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got, err := io.ReadAll(resp.Body); resp.StatusCode != 413 || string(got) != "too much\n" {
			t.Errorf("got %d %q, %v", resp.StatusCode, got, err)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestLargeBodies(t *testing.T) {
	const size = 5 << 20
	everyWay(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if n != size || err != nil {
			http.Error(w, fmt.Sprint(n, " ", err), 500)
			return
		}
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", fmt.Sprint(size))
		}
		io.CopyN(w, zeros{}, size)
	}, func(t *testing.T, r *rig, client http.RoundTripper) {
		for _, path := range []string{"/length", "/chunked"} {
			req := r.request("PUT", path, io.LimitReader(zeros{}, size))
			if path == "/length" {
				req.ContentLength = size
			}
			resp, err := client.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, resp.Body)
			if n != size || err != nil || resp.StatusCode != 200 {
				t.Errorf("%s: got %d, %d bytes, %v", path, resp.StatusCode, n, err)
			}
			resp.Body.Close()
		}
	})
}

// What the client breaks off is broken off upstream, in every phase.
func TestClientGoesAway(t *testing.T) {
	entered, left := make(chan string, 1), make(chan string, 1)
	everyWay(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
		}
		entered <- r.URL.Path
		if r.URL.Path == "/upload" {
			io.Copy(io.Discard, r.Body)
		} else {
			<-r.Context().Done()
		}
		left <- r.URL.Path
	}, func(t *testing.T, r *rig, client http.RoundTripper) {
		for _, path := range []string{"/wait", "/stream", "/upload"} {
			ctx, cancel := context.WithCancel(t.Context())
			var body io.Reader
			giveUp := func() {}
			if path == "/upload" {
				pr, pw := io.Pipe()
				body = pr
				giveUp = func() { pw.CloseWithError(context.Canceled) }
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				resp, err := client.RoundTrip(r.request("POST", path, body).WithContext(ctx))
				if err == nil {
					<-ctx.Done()
					resp.Body.Close()
				}
			}()
			<-entered
			cancel()
			giveUp()
			if got := <-left; got != path {
				t.Errorf("%s ended, want %s", got, path)
			}
			<-done
		}
	})
}

// A response that breaks off must not look whole.
func TestBrokenResponseLooksBroken(t *testing.T) {
	everyWay(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", "100")
		}
		io.WriteString(w, "the beginning")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}, func(t *testing.T, r *rig, client http.RoundTripper) {
		for _, path := range []string{"/length", "/chunked"} {
			resp, err := client.RoundTrip(r.request("GET", path, nil))
			if err != nil {
				continue // broken before the head was read: broken all the same
			}
			if body, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("%s: a response that broke off looks whole: %q", path, body)
			}
			resp.Body.Close()
		}
	})
}

// A response that lasts until the upstream closes is passed on as chunked, and
// to a client of HTTP/1.0 until the close.
func TestResponseUntilClose(t *testing.T) {
	up := rude(t, func(nc net.Conn) { hangUp(nc); io.WriteString(nc, "HTTP/1.0 200 OK\r\n\r\nall of it") })
	r := newRig(t, plan.Edge, nil, edge(to(backend("up", up))))
	if got, want := r.raw("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
		"HTTP/1.1 200 OK\ntransfer-encoding: chunked\nconnection: close\n\n9\nall of it\n0\n\n"; got != want {
		t.Errorf("HTTP/1.1: got %q, want %q", got, want)
	}
	if got, want := r.raw("GET / HTTP/1.0\r\nHost: a\r\n\r\n"), "HTTP/1.0 200 OK\n\nall of it"; got != want {
		t.Errorf("HTTP/1.0: got %q, want %q", got, want)
	}
}

func TestAnswersWithoutBody(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(204)
		case "/304":
			w.Header().Set("Etag", `"1"`)
			w.WriteHeader(304)
		default:
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "hello")
		}
	})
	r := newRig(t, plan.Edge, nil, edge(to(backend("up", up))))
	for _, c := range []struct{ request, want string }{
		{"HEAD / ", "HTTP/1.1 200 OK\ncontent-type: text/plain; charset=utf-8\ncontent-length: 5\nconnection: close\n\n"},
		{"GET /204 ", "HTTP/1.1 204 No Content\nconnection: close\n\n"},
		{"GET /304 ", "HTTP/1.1 304 Not Modified\netag: \"1\"\nconnection: close\n\n"},
	} {
		got := r.raw(c.request + "HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		got = strings.Replace(got, "content-type: text/plain; charset=utf-8\n", "", 1)
		want := strings.Replace(c.want, "content-type: text/plain; charset=utf-8\n", "", 1)
		if got != want {
			t.Errorf("%s: got %q, want %q", c.request, got, want)
		}
	}
	if got := r.raw("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); strings.HasSuffix(got, "hello") {
		t.Errorf("HEAD: got a body: %q", got)
	}
}

// A client that waits for 100 gets it when the upstream wants the body, and none
// when the answer comes first.
func TestExpectContinue(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	r := newRig(t, plan.Edge, nil, edge(to(backend("up", up))))
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	in := bufio.NewReader(nc)
	line, _ := in.ReadString('\n')
	in.ReadString('\n')
	if line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q, want the 100", line)
	}
	io.WriteString(nc, "hello")
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(resp.Body); string(body) != "hello" {
		t.Errorf("got %q", body)
	}
	r.swap(edge())
	if got := r.raw("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 404 ") {
		t.Errorf("without a route: got %q, want 404 at once", got)
	}
}

// A client that sends its head byte by byte is cut off.
func TestSlowLoris(t *testing.T) {
	r := newRig(t, plan.Edge, func(o *Options) { o.Timeouts.Header = 30 * time.Millisecond }, edge())
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost:")
	nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer, err := io.ReadAll(nc)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %q, %v, want 408 and the end", answer, err)
	}
}

// A trailer says nothing that an application would believe: no header that a token fills,
// in no spelling, and none that the request is sent on with.
func TestTrailersAreNotBelieved(t *testing.T) {
	names := []string{"X-User", "X_user", "X-Groups", "X-Route", "X-Request-Id", "X-Forwarded-For", "X-Up"}
	for _, protocol := range []plan.Protocol{plan.HTTP1, plan.HTTP2} {
		for _, major := range []int{1, 2} {
			t.Run(fmt.Sprintf("HTTP/%d to %s", major, protocol), func(t *testing.T) {
				got := make(chan http.Header, 1)
				b := backend("up", origin(t, func(w http.ResponseWriter, r *http.Request) {
					io.Copy(io.Discard, r.Body)
					got <- r.Trailer
				}))
				b.Protocol = protocol
				l := gateway(to(b, func(r *plan.Route, _ *plan.Forward) {
					r.Filters = append(r.Filters, &plan.HeaderRoute{Headers: plan.Headers{Request: plan.HeaderEdits{Set: []plan.HeaderValue{{Name: "x-route", Value: plan.Literal("1")}}}}})
				}))
				l.Guards = []plan.Guard{plan.NewTokens([]*plan.TokenRule{{Issuer: "i", PayloadTo: "x-groups", ClaimsTo: []plan.ClaimHeader{{Name: "x-user", Claim: []string{"sub"}}}}})}
				r := newRig(t, gatewayKey, nil, l)
				client := h2client(t)
				if major == 1 {
					client = &http.Transport{DisableCompression: true}
					t.Cleanup(client.CloseIdleConnections)
				}
				req := r.request("POST", "/", io.MultiReader(strings.NewReader("body")))
				req.Trailer = http.Header{}
				for _, name := range names {
					if name == "X-Forwarded-For" && major == 1 {
						continue // refused altogether
					}
					req.Trailer[name] = []string{"forged"}
				}
				resp, err := client.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				trailers := <-got
				for _, name := range names {
					if v := trailers.Values(name); (len(v) > 0) != (name == "X-Up") {
						t.Errorf("trailer %s: got %q", name, v)
					}
				}
			})
		}
	}
}
