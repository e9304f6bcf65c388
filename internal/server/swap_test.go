package server

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"weak"

	"github.com/coder/websocket"

	"github.com/doorward/doorward/internal/plan"
)

// A thousand plans come and go under load: no request fails, no WebSocket and
// no stream ends, and the old plans are freed.
func TestSwapsUnderLoad(t *testing.T) {
	swaps := 1000
	if testing.Short() {
		swaps = 50
	}
	events := make(chan int)
	r := start(t, func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/old/socket":
			c, err := websocket.Accept(w, req, nil)
			if err != nil {
				return
			}
			for {
				kind, text, err := c.Read(req.Context())
				if err != nil || c.Write(req.Context(), kind, text) != nil {
					c.CloseNow()
					return
				}
			}
		case "/old/stream":
			w.(http.Flusher).Flush()
			for n := range events {
				fmt.Fprintln(w, n)
				w.(http.Flusher).Flush()
			}
		default:
			io.WriteString(w, "hello")
		}
	}, nil)
	base := "http://" + r.Addr(gatewayKey).String() + "/old"

	socket, _, err := websocket.Dial(t.Context(), base+"/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	stream, err := http.Get(base + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)

	end := make(chan struct{})
	var load sync.WaitGroup
	var served [4]int
	for i := range served {
		load.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-end:
					return
				default:
				}
				resp, err := client.Get(base)
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || string(body) != "hello" {
					t.Errorf("got %d %q, %v", resp.StatusCode, body, err)
					return
				}
				served[i]++
			}
		})
	}

	second := filepath.Join(filepath.Dir(r.file), "second.yaml")
	var plans []weak.Pointer[plan.Plan]
	for n := range swaps {
		text := fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: n%d}\n", n)
		if err := os.WriteFile(second, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := r.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		plans = append(plans, weak.Make(r.plan.Load()))
		if n%100 != 0 {
			continue
		}
		want := fmt.Sprint(n)
		if err := socket.Write(t.Context(), websocket.MessageText, []byte(want)); err != nil {
			t.Fatalf("after %d swaps the WebSocket says %v", n, err)
		}
		if _, got, err := socket.Read(t.Context()); err != nil || string(got) != want {
			t.Fatalf("after %d swaps the WebSocket answers %q, %v", n, got, err)
		}
		events <- n
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("after %d swaps the stream brings %q, %v", n, lines.Text(), lines.Err())
		}
	}
	close(end)
	load.Wait()
	close(events)
	if err := socket.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("the WebSocket's end: %v", err)
	}
	for i, n := range served {
		if n == 0 {
			t.Errorf("client %d was never served", i)
		}
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}

	runtime.GC()
	runtime.GC() // pools keep their contents for one collection
	alive := 0
	for _, p := range plans {
		if p.Value() != nil {
			alive++
		}
	}
	if alive > 3 { // the one in force, and what a goroutine that ends may still see
		t.Errorf("%d of %d old plans are still in memory", alive, len(plans))
	}
}
