package http1

import "time"

// watcher looks out for the client's close while nobody reads.
type watcher struct {
	gone func()
	done chan struct{}
}

// Watch calls gone, in a goroutine of its own, when the client closes its
// connection before Unwatch; for a client that has closed only its sending
// side too, as NGINX and Envoy see it. The look-out begins at the given time:
// until then it costs next to nothing, so that quick answers do not pay
// for slow ones (100 ms from now or more is sensible). The request's body must have
// been read to its end, otherwise Watch does nothing: whoever reads it learns
// of the close. gone must not call methods of c.
func (c *ServerConn) Watch(from time.Time, gone func()) {
	if !c.Body.Done() {
		return
	}
	c.watcher.gone = gone
	c.dl.setAt(slotWatch, timeoutStopped, int64(from.Sub(c.dl.start)))
}

// Unwatch ends Watch; gone is not running and will not be called afterwards.
func (c *ServerConn) Unwatch() {
	if c.watcher.gone == nil {
		return
	}
	if !c.dl.cancelWatch() { // it is looking out, in RawConn.Read
		c.dl.stop()
		<-c.watcher.done
		c.dl.resume()
	}
	c.watcher = watcher{}
}

// startWatch runs with dl.mu held, when the time has come.
func (c *ServerConn) startWatch() {
	done, gone := make(chan struct{}), c.watcher.gone
	c.watcher.done = done
	go func() {
		defer close(done)
		raw := socket(c.nc)
		if raw == nil {
			return
		}
		closed := false
		raw.Read(func(fd uintptr) bool {
			closed = peerClosed(int(fd))
			return closed
		})
		if closed {
			gone()
		}
	}()
}
