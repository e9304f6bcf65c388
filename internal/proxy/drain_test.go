package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
)

// Shutdown closes idle connections at once, waits for what is under way, and
// says so to the client.
func TestShutdownDrains(t *testing.T) {
	entered, answer := make(chan bool), make(chan bool)
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		<-answer
		io.WriteString(w, "done")
	})
	r := newRig(t, gatewayKey, nil, gateway(to(backend("up", up))))
	idle, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	type result struct {
		resp *http.Response
		body string
		err  error
	}
	results := make(chan result, 2)
	h2 := h2client(t)
	for _, client := range []http.RoundTripper{&http.Transport{}, h2} {
		go func() {
			resp, err := client.RoundTrip(r.request("GET", "/", nil))
			if err != nil {
				results <- result{err: err}
				return
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			results <- result{resp, string(body), err}
		}()
	}
	<-entered
	<-entered
	drained := make(chan error)
	go func() { drained <- r.Shutdown(t.Context()) }()
	idle.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the idle connection: got %v, want its end", err)
	}
	idle.Close()
	select {
	case err := <-drained:
		t.Fatalf("Shutdown did not wait: %v", err)
	default:
	}
	close(answer)
	for range 2 {
		got := <-results
		if got.err != nil || got.body != "done" || got.resp.ProtoMajor == 1 && !got.resp.Close {
			t.Errorf("a request under way: got %q, %v, %+v", got.body, got.err, got.resp)
		}
	}
	h2.CloseIdleConnections()
	if err := <-drained; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// What does not end in time is cut.
func TestShutdownCuts(t *testing.T) {
	r := newRig(t, gatewayKey, nil, gateway(to(backend("up", rude(t, silent)))))
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	for busy := false; !busy; { // until the request is under way
		runtime.Gosched()
		for _, c := range r.manager.Snapshot() {
			busy = busy || c.Active > 0
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Shutdown(ctx); err != context.Canceled {
		t.Errorf("Shutdown: got %v", err)
	}
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	if got, _ := io.ReadAll(nc); len(got) > 0 {
		t.Errorf("got %q", got)
	}
}

// Plans are swapped a thousand times under load: no request fails, no WebSocket
// and no stream is dropped.
func TestSwapsUnderLoad(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ws":
			echoSocket(w, r)
		case "/stream":
			for i := 0; r.Context().Err() == nil; i++ {
				fmt.Fprintln(w, i)
				w.(http.Flusher).Flush()
			}
		default:
			io.WriteString(w, "ok")
		}
	})
	// Every plan is another: the route's backend changes its key from plan to plan.
	plans := func(i int) *plan.Listener { return gateway(to(backend(fmt.Sprint("up", i%3), up))) }
	r := newRig(t, gatewayKey, nil, plans(0))
	socket, _, err := websocket.Dial(t.Context(), "ws://"+r.addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	stream, err := http.Get("http://" + r.addr + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)

	var stop atomic.Bool
	var asked atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			nc, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Error(err)
				return
			}
			c := new(http1.Client).NewConn(nc)
			defer c.Close()
			for !stop.Load() {
				if status, err := getStatus(c); status != 200 || err != nil {
					t.Errorf("a request failed: %d, %v", status, err)
					return
				}
				asked.Add(1)
			}
		})
	}
	for i := range 1000 {
		r.swap(plans(i))
		if i%50 == 0 {
			if err := say(t.Context(), socket, fmt.Sprint(i)); err != nil {
				t.Fatalf("the WebSocket after %d swaps: %v", i, err)
			}
		}
		if !lines.Scan() {
			t.Fatalf("the stream after %d swaps: %v", i, lines.Err())
		}
	}
	stop.Store(true)
	clients.Wait()
	t.Logf("%d requests beside 1000 swaps", asked.Load())
}

func getStatus(c *http1.ClientConn) (int, error) {
	if err := c.Begin(&http1.RequestHead{Method: "GET", Target: "/", Host: "a", ContentLength: -1}); err != nil {
		return 0, err
	}
	if err := c.End(nil); err != nil {
		return 0, err
	}
	resp, err := c.ReadResponse(nil)
	if err != nil {
		return 0, err
	}
	status := resp.Status
	for err == nil {
		_, err = c.Body.Next()
	}
	c.Release()
	if err == io.EOF {
		err = nil
	}
	return status, err
}

// The upstream closes its connections all the time, with and without saying so;
// nobody notices.
func TestUpstreamClosesKeepAlive(t *testing.T) {
	var n atomic.Int64
	up := rude(t, func(nc net.Conn) {
		in := bufio.NewReader(nc)
		for i := range 3 { // and then it just hangs up
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			fields := ""
			if n.Add(1)%7 == 0 {
				fields = "Connection: close\r\n"
			}
			io.WriteString(nc, "HTTP/1.1 200 OK\r\n"+fields+"Content-Length: 2\r\n\r\nok")
			if fields != "" || i == 2 {
				return
			}
		}
	})
	r := newRig(t, plan.Edge, nil, edge(to(backend("up", up))))
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			nc, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Error(err)
				return
			}
			c := new(http1.Client).NewConn(nc)
			defer c.Close()
			for range 300 {
				if status, err := getStatus(c); status != 200 || err != nil {
					t.Errorf("a request failed: %d, %v", status, err)
					return
				}
			}
		})
	}
	clients.Wait()
}
