package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/telemetry"
)

// A record says what happened, and who did it.
func TestRecord(t *testing.T) {
	var n atomic.Int64
	address := origin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/twice" && n.Add(1) == 1 {
			w.WriteHeader(503)
			return
		}
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "hello")
	})
	ok := backend("up", address)
	limit := func(_ *plan.Route, f *plan.Forward) { f.Limits.Total = 20 * time.Millisecond }
	dead := nobody(t)
	for _, c := range []struct {
		name     string
		listener *plan.Listener
		request  string
		want     map[string]any
	}{
		{"good", gateway(to(ok)), "POST /x?token=secret HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: me\r\nReferer: http://r.example/\r\nX-Forwarded-For: 1.2.3.4\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", map[string]any{
			"method": "POST", "path": "/x?token=REDACTED", "authority": "shop.example", "response_code": 200., "response_flags": "-", "bytes_received": 3., "bytes_sent": 5.,
			"upstream_host": address, "protocol": "HTTP/1.1", "user_agent": "me", "referer": "http://r.example/", "x_forwarded_for": "1.2.3.4", "listener": gatewayKey,
		}},
		{"second try", gateway(to(ok, retrying(plan.OnGatewayError, 1))), "GET /twice HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", map[string]any{
			"response_code": 200., "attempts": 2., "response_flags": "-", "upstream_host": address}},
		{"refused", gateway(to(backend("b", dead), retrying(plan.OnConnectFailure, 1))), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", map[string]any{
			"response_code": 503., "attempts": 2., "response_flags": "UF,URX", "upstream_host": dead}},
		{"timeout", gateway(to(backend("b", rude(t, silent)), limit)), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", map[string]any{
			"response_code": 504., "response_flags": "UT"}},
		{"no endpoint", gateway(to(backend("b"))), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", map[string]any{
			"response_code": 503., "response_flags": "UH"}},
		{"no route", gateway(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", map[string]any{
			"response_code": 404., "response_flags": "NR"}},
		{"broken off", edge(to(backend("b", rude(t, func(nc net.Conn) {
			hangUp(nc)
			io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel")
		})))), "GET / HTTP/1.0\r\nHost: a\r\n\r\n", map[string]any{
			"response_code": 200., "response_flags": "UR", "bytes_sent": 3.}},
		{"no HTTP", gateway(), "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", map[string]any{
			"response_code": 400., "response_flags": "DPE", "listener": gatewayKey}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var lines bytes.Buffer
			log := telemetry.NewAccessLog(telemetry.JSON, &lines)
			r := newRig(t, c.listener.Key, func(o *Options) { o.AccessLog = log }, c.listener)
			nc, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			nc.SetDeadline(time.Now().Add(10 * time.Second))
			io.WriteString(nc, c.request)
			io.ReadAll(nc)
			nc.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			r.Shutdown(ctx)
			log.Close()
			var got map[string]any
			if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
				t.Fatalf("%v: %q", err, lines.String())
			}
			for name, want := range c.want {
				if got[name] != want {
					t.Errorf("%s: got %v, want %v\n%s", name, got[name], want, lines.String())
				}
			}
			if strings.Contains(lines.String(), "secret") {
				t.Errorf("a secret is logged: %s", lines.String())
			}
		})
	}
}

// A client that leaves is no failure of the upstream's.
func TestRecordOfAClientThatLeft(t *testing.T) {
	entered := make(chan bool, 1)
	up := origin(t, func(w http.ResponseWriter, r *http.Request) { entered <- true; <-r.Context().Done() })
	b := backend("up", up)
	b.Outlier = &plan.Outlier{Consecutive5xx: 1, MaxEjectionPercent: 100, BaseEjection: time.Hour, Interval: time.Hour}
	var lines bytes.Buffer
	log := telemetry.NewAccessLog(telemetry.JSON, &lines)
	r := newRig(t, plan.Edge, func(o *Options) { o.AccessLog = log }, edge(to(b)))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	if _, err := http.DefaultTransport.RoundTrip(r.request("GET", "/", nil).WithContext(ctx)); err == nil {
		t.Error("got an answer")
	}
	if err := r.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.Close()
	if got := lines.String(); !strings.Contains(got, `"response_code":499,"response_flags":"DC"`) {
		t.Errorf("got %s", got)
	}
	for _, c := range r.manager.Snapshot() {
		if c.Ejections > 0 || c.Active > 0 {
			t.Errorf("got %+v", c)
		}
	}
}

// Answers that say that the upstream is ill take it out (outlierDetection).
func TestOutliers(t *testing.T) {
	bad := origin(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	good := origin(t, func(w http.ResponseWriter, r *http.Request) {})
	b := backend("up", bad, good)
	b.Outlier = &plan.Outlier{Consecutive5xx: 2, MaxEjectionPercent: 100, BaseEjection: time.Hour, Interval: time.Hour}
	r := newRig(t, gatewayKey, nil, gateway(to(b)))
	for range 4 {
		r.get("/")
	}
	for r.manager.Snapshot()[0].Active > 0 { // the last is counted behind its answer
		runtime.Gosched()
	}
	for range 4 {
		if resp, _ := r.get("/"); resp.StatusCode != 200 {
			t.Errorf("got %d after the bad endpoint should have been out", resp.StatusCode)
		}
	}
}
