package http1

import (
	"io"
	"testing"
	"time"
)

func TestWatch(t *testing.T) {
	for _, secure := range []bool{false, true} {
		gone, waiting := make(chan string, 1), make(chan bool, 1)
		s := serveMaybeTLS(t, &testServer{}, secure, func(c *ServerConn, req *RequestHead) {
			left := make(chan bool, 1)
			c.Watch(time.Now().Add(time.Millisecond), func() { left <- true })
			switch req.Target {
			case "/wait":
				waiting <- true
				<-left
				gone <- req.Target
			case "/slow": // the watch has begun and must let go
				for c.watchPending() {
				}
			}
			c.Unwatch()
			select {
			case <-left:
				t.Errorf("%s: gone was called", req.Target)
			default:
			}
			c.Respond(200, nil, []byte("ok"))
		})
		nc := dialMaybeTLS(t, s, secure)
		for _, target := range []string{"/quick", "/slow", "/slow", "/quick"} {
			io.WriteString(nc, "GET "+target+" HTTP/1.1\r\nHost: a\r\n\r\n")
			readUntil(t, nc, "ok")
		}
		io.WriteString(nc, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\nGET /pipelined HTTP/1.1\r\n")
		<-waiting
		nc.Close()
		if got := <-gone; got != "/wait" {
			t.Errorf("tls=%v: got %q", secure, got)
		}
	}
}

// watchPending tells whether the watch is still to begin.
func (c *ServerConn) watchPending() bool { return c.dl.at[slotWatch].Load() > 0 }
