package http1

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestTimeouts(t *testing.T) {
	const soon = 30 * time.Millisecond
	head := "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
	bodyErr := make(chan error, 1)
	report := func(c *ServerConn, _ *RequestHead) {
		_, err := io.Copy(io.Discard, &c.Body)
		bodyErr <- err
		c.Respond(408, nil, nil)
	}
	for _, c := range []struct {
		name   string
		limits Timeouts
		send   string
		answer string // how the raw answer begins
		end    Timeout
		body   Timeout
	}{
		{name: "idle", limits: Timeouts{Idle: soon}, end: TimeoutIdle},
		{name: "head not begun again", limits: Timeouts{Idle: soon, Read: soon * 1000}, send: head + "hello", answer: "HTTP/1.1 408 ", end: TimeoutIdle},
		{name: "one byte of a head", limits: Timeouts{Header: soon}, send: "G", answer: "HTTP/1.1 408 ", end: TimeoutHeader},
		{name: "most of a head", limits: Timeouts{Header: soon}, send: head[:len(head)-1], answer: "HTTP/1.1 408 ", end: TimeoutHeader},
		{name: "body", limits: Timeouts{Read: soon, Linger: soon}, send: head + "hell", answer: "HTTP/1.1 408 ", body: TimeoutRead},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, &testServer{Server: Server{Timeouts: c.limits}}, report)
			nc := dial(t, s)
			io.WriteString(nc, c.send)
			got, err := io.ReadAll(nc)
			if !strings.HasPrefix(string(got), c.answer) || c.answer == "" && len(got) > 0 || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, c.answer)
			}
			nc.Close()
			var limit *TimeoutError
			if err := <-s.ends; c.end != TimeoutNone && (!errors.As(err, &limit) || limit.Limit != c.end) {
				t.Errorf("the loop ended with %v, want the %v timeout", err, c.end)
			}
			if c.body != TimeoutNone {
				if err := <-bodyErr; !errors.As(err, &limit) || limit.Limit != c.body {
					t.Errorf("the body ended with %v, want the %v timeout", err, c.body)
				}
			} else if len(bodyErr) > 0 {
				<-bodyErr
			}
		})
	}
}

// TestSlowHead: bytes that keep coming do not move the limit of a head.
func TestSlowHead(t *testing.T) {
	s := serve(t, &testServer{Server: Server{Timeouts: Timeouts{Header: 50 * time.Millisecond}}}, echo)
	nc := dial(t, s)
	io.WriteString(nc, "GET / HTTP/1.1\r\n")
	answered := make(chan string)
	go func() {
		got, _ := io.ReadAll(nc)
		answered <- string(got)
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case got := <-answered:
			if !strings.HasPrefix(got, "HTTP/1.1 408 ") {
				t.Errorf("got %q", got)
			}
			return
		case <-tick.C:
			io.WriteString(nc, "x")
		}
	}
}

// TestAbort: a response that lasts until the close and is broken off does not
// look whole.
func TestAbort(t *testing.T) {
	s := serve(t, &testServer{}, func(c *ServerConn, _ *RequestHead) {
		c.Begin(200, nil, -1)
		c.Write([]byte("half"))
		c.Flush()
		c.Abort()
	})
	nc := dial(t, s)
	io.WriteString(nc, "GET / HTTP/1.0\r\n\r\n")
	if got, err := io.ReadAll(nc); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %q, %v, want a reset", got, err)
	}
}

func TestWriteTimeout(t *testing.T) {
	failed := make(chan error, 1)
	s := serve(t, &testServer{Server: Server{Timeouts: Timeouts{Write: 50 * time.Millisecond}}}, func(c *ServerConn, _ *RequestHead) {
		c.Begin(200, nil, 1<<40)
		block := make([]byte, 256<<10)
		for {
			if _, err := c.Write(block); err != nil {
				failed <- err
				c.Abort()
				return
			}
		}
	})
	nc := dial(t, s) // and never reads
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	var limit *TimeoutError
	if err := <-failed; !errors.As(err, &limit) || limit.Limit != TimeoutWrite {
		t.Errorf("got %v, want the write timeout", err)
	}
}

// TestStopReading: an upload is read in one goroutine while the response is
// written and ended in another, which then stops the reader.
func TestStopReading(t *testing.T) {
	read := make(chan error, 1)
	s := serve(t, &testServer{}, func(c *ServerConn, req *RequestHead) {
		if req.Method == "GET" {
			c.Respond(200, nil, []byte("again"))
			return
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := io.Copy(io.Discard, &c.Body)
			read <- err
		})
		c.Respond(200, nil, []byte("early"))
		c.StopReading()
		wg.Wait()
	})
	nc := dial(t, s)
	io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
	readUntil(t, nc, "early")
	if err := <-read; err != ErrStopped {
		t.Errorf("the reader got %v, want ErrStopped", err)
	}
	io.WriteString(nc, "lloGET / HTTP/1.1\r\nHost: a\r\n\r\n")
	readUntil(t, nc, "again")
	if got, want := s.requests(), []string{"POST /", "GET /"}; !slices.Equal(got, want) {
		t.Errorf("served %q, want %q", got, want)
	}
}

func (s *testServer) shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Shutdown()
	}
}

func TestShutdown(t *testing.T) {
	busy, goOn := make(chan bool), make(chan bool)
	s := serve(t, &testServer{}, func(c *ServerConn, req *RequestHead) {
		if req.Target == "/busy" {
			busy <- true
			<-goOn
		}
		c.Respond(200, nil, []byte("ok"))
	})
	idle := dial(t, s)
	io.WriteString(idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	readUntil(t, idle, "ok")
	working := dial(t, s)
	io.WriteString(working, "GET /busy HTTP/1.1\r\nHost: a\r\n\r\n")
	<-busy
	s.shutdown()
	if got, err := io.ReadAll(idle); len(got) > 0 || err != nil {
		t.Errorf("the idle connection got %q, %v, want its end", got, err)
	}
	close(goOn)
	got, err := io.ReadAll(working)
	if want := "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"; undated(string(got)) != want || err != nil {
		t.Errorf("the busy connection got %q, %v, want %q", got, err, want)
	}
}

// TestShutdownRace lets requests and Shutdown cross: each request is either
// answered whole or sees the connection end before its answer.
func TestShutdownRace(t *testing.T) {
	s := serve(t, &testServer{}, func(c *ServerConn, _ *RequestHead) { c.Respond(200, nil, []byte("ok")) })
	for range 200 {
		nc := dial(t, s)
		io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		readUntil(t, nc, "ok")
		var wg sync.WaitGroup
		wg.Go(s.shutdown)
		io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		got, err := io.ReadAll(nc)
		if len(got) > 0 && !strings.HasSuffix(string(got), "\r\n\r\nok") || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
		nc.Close()
		wg.Wait()
		if err := <-s.ends; err != io.EOF {
			t.Fatalf("the loop ended with %v", err)
		}
	}
}
