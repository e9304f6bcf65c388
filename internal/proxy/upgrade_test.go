package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/doorward/doorward/internal/plan"
)

// echoSocket is a WebSocket server that answers each message with itself.
func echoSocket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	for {
		kind, data, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, data); err != nil {
			return
		}
	}
}

func say(ctx context.Context, c *websocket.Conn, text string) error {
	if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		return err
	}
	if _, got, err := c.Read(ctx); err != nil || string(got) != text {
		return fmt.Errorf("got %.40q, %v, want %.40q", got, err, text)
	}
	return nil
}

func TestWebSocket(t *testing.T) {
	up := origin(t, echoSocket)
	alone, behind := gateway(to(backend("up", up))), gateway(to(backend("up", up)))
	for _, r := range []*rig{
		newRig(t, gatewayKey, nil, alone),
		newRig(t, plan.Edge, nil, edge(to(&plan.Backend{Key: "g", Next: behind})), behind),
	} {
		c, _, err := websocket.Dial(t.Context(), "ws://"+r.addr+"/chat", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.SetReadLimit(-1)
		for _, text := range []string{"hello", strings.Repeat("long", 100_000), ""} {
			if err := say(t.Context(), c, text); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(websocket.StatusNormalClosure, "bye"); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
}

// An upgrade that the upstream declines is an ordinary answer.
func TestDeclinedUpgrade(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, r.Header.Get("Upgrade"), http.StatusForbidden)
	})
	r := newRig(t, gatewayKey, nil, gateway(to(backend("up", up))))
	// A gateway lets nobody upgrade to anything but WebSocket (Envoy, upgrade_failed).
	for upgrade, want := range map[string]string{"WebSocket": "WebSocket\n", "other/1": "", "websocket, other/1": ""} {
		req := r.request("GET", "/", nil)
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", upgrade)
		if resp, body := r.do(req); resp.StatusCode != 403 || body != want {
			t.Errorf("%s: got %d %q", upgrade, resp.StatusCode, body)
		}
	}
}

// Bytes that follow the heads at once are not lost in either direction, and
// at the edge what is not WebSocket is tunnelled too.
func TestTunnelKeepsEarlyBytes(t *testing.T) {
	up := rude(t, func(nc net.Conn) {
		in := bufio.NewReader(nc)
		for line := ""; line != "\r\n"; {
			line, _ = in.ReadString('\n')
		}
		io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other/1\r\n\r\nearly ")
		line, _ := in.ReadString('\n')
		io.WriteString(nc, "got "+line)
	})
	r := newRig(t, plan.Edge, nil, edge(to(backend("up", up))))
	got := r.raw("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other/1\r\n\r\nhello\n")
	if !strings.HasPrefix(got, "HTTP/1.1 101 ") || !strings.Contains(got, "upgrade: other/1\n") || !strings.HasSuffix(got, "\n\nearly got hello\n") {
		t.Errorf("got %q", got)
	}
}

// 101 to a request that asked for none is no answer.
func TestUnaskedUpgrade(t *testing.T) {
	up := rude(t, func(nc net.Conn) {
		hangUp(nc)
		io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
	})
	r := newRig(t, gatewayKey, nil, gateway(to(backend("up", up))))
	if resp, _ := r.get("/"); resp.StatusCode != 502 {
		t.Errorf("got %d, want 502", resp.StatusCode)
	}
}

// The edge's limit between two reads ends a quiet tunnel, not a busy one.
func TestQuietTunnelEnds(t *testing.T) {
	up := origin(t, echoSocket)
	r := newRig(t, plan.Edge, nil, edge(to(backend("up", up), func(_ *plan.Route, f *plan.Forward) { f.Limits.Read = 100 * time.Millisecond })))
	c, _, err := websocket.Dial(t.Context(), "ws://"+r.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for start := time.Now(); time.Since(start) < 300*time.Millisecond; {
		if err := say(t.Context(), c, "busy"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, _, err := c.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("a quiet tunnel stays open: %v", err)
	}
}

// 426 says what to upgrade to.
func TestUpgradeRequired(t *testing.T) {
	up := rude(t, func(nc net.Conn) {
		hangUp(nc)
		io.WriteString(nc, "HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade, close\r\nUpgrade: TLS/1.0\r\nContent-Length: 0\r\n\r\n")
	})
	r := newRig(t, gatewayKey, nil, gateway(to(backend("up", up))))
	if resp, _ := r.get("/"); resp.StatusCode != 426 || resp.Header.Get("Upgrade") != "TLS/1.0" {
		t.Errorf("got %d %v", resp.StatusCode, resp.Header)
	}
}
