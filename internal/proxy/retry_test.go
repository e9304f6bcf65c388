package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

func retrying(on plan.RetryOn, attempts int, change ...func(*plan.Retry)) func(*plan.Route, *plan.Forward) {
	return func(_ *plan.Route, f *plan.Forward) {
		f.Retry = plan.Retry{On: on, Attempts: attempts}
		for _, c := range change {
			c(&f.Retry)
		}
	}
}

// TestRetries counts how often an upstream that always fails in one way is
// asked.
func TestRetries(t *testing.T) {
	status := func(code int, fields ...string) func(*http.Request, http.ResponseWriter) {
		return func(_ *http.Request, w http.ResponseWriter) {
			for i := 0; i < len(fields); i += 2 {
				w.Header().Set(fields[i], fields[i+1])
			}
			w.WriteHeader(code)
		}
	}
	reset := func(*http.Request, http.ResponseWriter) { panic(http.ErrAbortHandler) }
	wait := func(r *http.Request, _ http.ResponseWriter) { <-r.Context().Done() }
	perTry := func(r *plan.Retry) { r.PerTry = 300 * time.Millisecond }
	grpc := func(code string) func(*http.Request, http.ResponseWriter) {
		return status(200, "content-type", "application/grpc", "grpc-status", code)
	}
	for _, c := range []struct {
		name   string
		method string
		answer func(*http.Request, http.ResponseWriter)
		retry  func(*plan.Route, *plan.Forward)
		asked  int64
	}{
		{"500 without 5xx", "GET", status(500), retrying(plan.OnConnectFailure|plan.OnGatewayError, 2), 1},
		{"500 with 5xx", "GET", status(500), retrying(plan.On5xx, 2), 3},
		{"500 with 5xx and a body", "POST", status(500), retrying(plan.On5xx, 2), 3},
		{"503 with gateway-error", "GET", status(503), retrying(plan.OnGatewayError, 3), 4},
		{"501 with gateway-error", "GET", status(501), retrying(plan.OnGatewayError, 3), 1},
		{"409 with retriable-4xx", "GET", status(409), retrying(plan.OnRetriable4xx, 1), 2},
		{"404 with retriable-4xx", "GET", status(404), retrying(plan.OnRetriable4xx, 1), 1},
		{"418 in codes", "GET", status(418), retrying(plan.OnRetriableStatus, 1, func(r *plan.Retry) { r.Codes = []int{418} }), 2},
		{"419 not in codes", "GET", status(419), retrying(plan.OnRetriableStatus, 1, func(r *plan.Retry) { r.Codes = []int{418} }), 1},
		{"rate limited with 5xx", "GET", status(503, "x-envoy-ratelimited", "true"), retrying(plan.On5xx, 1), 1},
		{"rate limited, asked for", "GET", status(429, "x-envoy-ratelimited", "true"), retrying(plan.OnEnvoyRateLimited, 1), 2},
		{"no attempts", "GET", status(500), retrying(plan.On5xx, 0), 1},
		{"reset with reset", "GET", reset, retrying(plan.OnReset, 2), 3},
		{"reset with 5xx", "GET", reset, retrying(plan.On5xx, 2), 3},
		{"reset with connect-failure", "GET", reset, retrying(plan.OnConnectFailure, 2), 1},
		{"reset of a POST that must not repeat", "POST", reset, retrying(plan.OnReset, 2, func(r *plan.Retry) { r.IdempotentOnly = true }), 1},
		{"reset of a POST that may repeat", "POST", reset, retrying(plan.OnReset, 2), 3},
		{"per try with 5xx", "GET", wait, retrying(plan.On5xx, 2, perTry), 3},
		{"per try alone", "GET", wait, retrying(plan.OnConnectFailure, 2, perTry), 1},
		{"timeout at the edge", "GET", wait, retrying(plan.OnTimeout, 2, perTry), 3},
		{"unavailable", "GET", grpc("14"), retrying(plan.OnGRPCUnavailable, 1), 2},
		{"cancelled", "GET", grpc("1"), retrying(plan.OnGRPCCancelled, 1), 2},
		{"deadline", "GET", grpc("4"), retrying(plan.OnGRPCDeadline, 1), 2},
		{"internal", "GET", grpc("13"), retrying(plan.OnGRPCInternal, 1), 2},
		{"exhausted", "GET", grpc("8"), retrying(plan.OnGRPCExhausted, 1), 2},
		{"exhausted with unavailable", "GET", grpc("8"), retrying(plan.OnGRPCUnavailable, 1), 1},
	} {
		for _, protocol := range []plan.Protocol{plan.HTTP1, plan.HTTP2} {
			t.Run(c.name+" over "+protocol.String(), func(t *testing.T) {
				t.Parallel()
				var asked atomic.Int64
				up := origin(t, func(w http.ResponseWriter, r *http.Request) {
					if n := fmt.Sprint(asked.Add(1)); r.Header.Get("x-envoy-attempt-count") != n {
						t.Errorf("attempt %s: x-envoy-attempt-count is %q", n, r.Header.Get("x-envoy-attempt-count"))
					}
					if body, _ := io.ReadAll(r.Body); r.Method == "POST" && string(body) != "body" {
						t.Errorf("got body %q", body)
					}
					c.answer(r, w)
				})
				b := backend("up", up)
				b.Protocol = protocol
				r := newRig(t, gatewayKey, nil, gateway(to(b, c.retry)))
				var body io.Reader
				if c.method == "POST" {
					body = strings.NewReader("body")
				}
				r.do(r.request(c.method, "/", body))
				if asked.Load() != c.asked {
					t.Errorf("asked %d times, want %d", asked.Load(), c.asked)
				}
			})
		}
	}
}

// A retry goes to another endpoint, and a connection that could not be made is
// another's turn for every method.
func TestRetryPrefersAnotherEndpoint(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		good := origin(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
		r := newRig(t, plan.Edge, nil, edge(to(backend("up", nobody(t), nobody(t), good),
			retrying(plan.OnConnectFailure|plan.OnReset, 2, func(r *plan.Retry) { r.IdempotentOnly = true }))))
		for range 3 {
			if resp, body := r.do(r.request(method, "/", strings.NewReader("x"))); resp.StatusCode != 200 || body != "x" {
				t.Errorf("%s: got %d %q, want 200", method, resp.StatusCode, body)
			}
		}
	}
}

// A large body is not kept, so it is sent once.
func TestLargeBodyIsSentOnce(t *testing.T) {
	var asked atomic.Int64
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(500)
	})
	r := newRig(t, gatewayKey, nil, gateway(to(backend("up", up), retrying(plan.On5xx, 2))))
	for _, c := range []struct {
		size  int64
		asked int64
	}{{maxReplay, 3}, {maxReplay + 1, 1}} {
		asked.Store(0)
		req := r.request("POST", "/", io.LimitReader(zeros{}, c.size))
		req.ContentLength = c.size
		if resp, _ := r.do(req); resp.StatusCode != 500 || asked.Load() != c.asked {
			t.Errorf("%d bytes: got %d after %d tries, want %d", c.size, resp.StatusCode, asked.Load(), c.asked)
		}
	}
}

// A bound of the backend is told as Envoy's overflow.
func TestRequestBoundOfTheBackend(t *testing.T) {
	entered, hold := make(chan bool), make(chan bool)
	b := backend("slow", origin(t, func(http.ResponseWriter, *http.Request) { entered <- true; <-hold }))
	b.Pool.MaxRequests = 1
	r := newRig(t, gatewayKey, nil, gateway(to(b)))
	first := make(chan int)
	go func() {
		resp, _ := r.get("/")
		first <- resp.StatusCode
	}()
	<-entered
	resp, body := r.get("/")
	if resp.StatusCode != 503 || !strings.Contains(body, "reset reason: overflow") || resp.Header.Get("X-Envoy-Overloaded") != "true" {
		t.Errorf("got %d %q %v, want Envoy's overflow", resp.StatusCode, body, resp.Header)
	}
	close(hold)
	if got := <-first; got != 200 {
		t.Errorf("the first: got %d", got)
	}
}

// No more retries are under way than the backend allows (maxRetries).
func TestRetryBoundOfTheBackend(t *testing.T) {
	var asked atomic.Int64
	up := backend("up", origin(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); w.WriteHeader(503) }))
	up.Pool.MaxRetries = 1
	r := newRig(t, gatewayKey, nil, gateway(to(up, retrying(plan.On5xx, 2))))
	cl := r.manager.Cluster(up)
	if err := cl.AcquireRetry(); err != nil {
		t.Fatal(err)
	}
	r.get("/")
	if asked.Load() != 1 {
		t.Errorf("asked %d times though all retries are taken", asked.Load())
	}
	cl.ReleaseRetry()
	asked.Store(0)
	r.get("/")
	if asked.Load() != 3 {
		t.Errorf("asked %d times, want 3", asked.Load())
	}
}

// A kept-alive connection that the upstream closes just as a request comes
// costs no request, and is no attempt: routes without retries have it too.
func TestStaleConnectionIsReplaced(t *testing.T) {
	up := rude(t, func(nc net.Conn) {
		hangUp(nc)
		io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		nc.Read(make([]byte, 1)) // takes the next request and hangs up
	})
	r := newRig(t, gatewayKey, nil, gateway(to(backend("up", up))))
	for i := range 6 {
		if resp, body := r.get("/"); resp.StatusCode != 200 || body != "ok" {
			t.Fatalf("request %d: got %d %q", i, resp.StatusCode, body)
		}
	}
}

// The total limit holds over all attempts and their pauses.
func TestTotalLimitOverAttempts(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	r := newRig(t, gatewayKey, nil, gateway(to(backend("up", up), retrying(plan.On5xx, 1000, func(r *plan.Retry) { r.Backoff = 10 * time.Millisecond }),
		func(_ *plan.Route, f *plan.Forward) { f.Limits.Total = 100 * time.Millisecond })))
	if resp, body := r.get("/"); resp.StatusCode != 504 || body != "upstream request timeout" {
		t.Errorf("got %d %q, want 504", resp.StatusCode, body)
	}
}
