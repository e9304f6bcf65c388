package http1

import (
	"net"
	"syscall"
	"time"

	"github.com/doorward/doorward/internal/header"
)

// writer writes one message after another. It keeps small pieces together,
// so that a head and the first bytes of its body leave in one write, and
// writes a large piece in one call with what was kept, without copying it.
type writer struct {
	conn  net.Conn
	dl    *deadlines
	out   outlet
	plain bool // a socket, written to by out: several slices leave in one system call
	limit *time.Duration

	buf     []byte
	open    bool // between begin and End
	dropped bool // the message has no body, whatever is written (HEAD, 204, 304)
	framing Framing
	left    int64 // Length: bytes that are still to be written
	err     error // stays: the message on the wire is not whole

	parts  [3][]byte
	vector net.Buffers
}

const (
	// A piece that makes no more than this with what is kept is kept too.
	keepPlain = 8 << 10
	keepTLS   = 16 << 10 // one record
	// No single write is longer, so that its limit means progress.
	maxWrite = 256 << 10
)

// init is for a connection whose raw one is raw; nil if it is no plain socket.
func (w *writer) init(nc net.Conn, raw syscall.RawConn, dl *deadlines, limit *time.Duration) {
	w.conn, w.dl, w.limit = nc, dl, limit
	if w.plain = raw != nil; w.plain {
		w.out.init(raw, w.limited)
	}
}

// begin starts a message whose head is appended by the caller to w.buf.
func (w *writer) begin(f Framing, length int64, dropped bool) {
	w.open, w.framing, w.left, w.dropped = true, f, max(length, 0), dropped
}

func (w *writer) take() {
	if w.buf == nil {
		w.buf = getBuffer(bufferSize)[:0]
	}
}

func (w *writer) drop() {
	if w.buf != nil {
		putBuffer(w.buf)
		w.buf = nil
	}
}

// Write writes body bytes. Small pieces may stay in memory until Flush or
// End. It returns ErrLongBody for more than the announced length.
func (w *writer) Write(p []byte) (int, error) {
	switch {
	case w.err != nil:
		return 0, w.err
	case !w.open:
		return 0, ErrState
	case len(p) == 0 || w.dropped:
		return len(p), nil
	case w.framing == NoBody || w.framing == Length && int64(len(p)) > w.left:
		return 0, ErrLongBody
	}
	w.take()
	if w.framing == Length {
		w.left -= int64(len(p))
	}
	keep := keepTLS
	if w.plain {
		keep = keepPlain
	}
	small := len(w.buf)+len(p)+16 <= keep
	switch {
	case small && w.framing == Chunked:
		w.buf = AppendChunk(w.buf, p)
	case small:
		w.buf = append(w.buf, p...)
	case w.framing == Chunked:
		w.buf = appendChunkSize(w.buf, len(p))
		w.send(p, crlf)
	default:
		w.send(p, nil)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// Flush sends what is kept, and gives the buffer back.
func (w *writer) Flush() error {
	if w.err == nil && len(w.buf) > 0 {
		w.send(nil, nil)
	}
	w.drop()
	return w.err
}

// End ends the message and sends what is kept. Trailers go only into a
// chunked message and are left out of others; a *FieldError leaves the
// message open. ErrShortBody means that less was written than announced: the
// connection is of no more use then.
func (w *writer) End(trailers header.Fields) error {
	switch {
	case w.err != nil:
		return w.err
	case !w.open:
		return ErrState
	case w.framing == Length && w.left > 0 && !w.dropped:
		w.Flush()
		w.err = ErrShortBody
		return w.err
	case w.framing == Chunked && !w.dropped:
		w.take()
		buf, err := AppendLastChunk(w.buf, trailers)
		if err != nil {
			return err
		}
		w.buf = buf
	}
	w.open = false
	return w.Flush()
}

// send writes what is kept, p and tail; on a TLS connection a short rest may
// stay behind.
func (w *writer) send(p, tail []byte) {
	if len(w.buf)+len(p) > maxWrite {
		w.put(w.buf)
		w.buf = w.buf[:0]
		for len(p) > maxWrite {
			w.put(p[:maxWrite])
			p = p[maxWrite:]
		}
	}
	switch {
	case len(p) == 0:
		w.put(w.buf)
		w.put(tail)
		w.buf = w.buf[:0]
	case w.plain:
		w.putVector(p, tail)
		w.buf = w.buf[:0]
	default:
		w.sendRecords(p, tail)
	}
}

// sendRecords fills one TLS record, then writes straight from p.
func (w *writer) sendRecords(p, tail []byte) {
	n := min(len(p), max(keepTLS-len(w.buf), 0))
	w.buf = append(w.buf, p[:n]...)
	w.put(w.buf)
	w.buf = w.buf[:0]
	if p = p[n:]; len(p) > keepTLS/4 {
		w.put(p)
		p = nil
	}
	w.buf = append(append(w.buf, p...), tail...)
}

func (w *writer) put(p []byte) {
	if len(p) == 0 || w.err != nil {
		return
	}
	if w.plain { // the limit is set only when it comes to waiting
		w.wrote(w.out.write(p))
		return
	}
	w.limited()
	_, err := w.conn.Write(p)
	w.wrote(err)
}

// limited starts the limit for a write.
func (w *writer) limited() { w.dl.set(slotWrite, TimeoutWrite, *w.limit) }

func (w *writer) putVector(p, tail []byte) {
	if w.err != nil {
		return
	}
	w.parts = [3][]byte{w.buf, p, tail}
	w.vector = w.parts[:]
	if len(tail) == 0 {
		w.vector = w.parts[:2]
	}
	w.limited()
	_, err := w.vector.WriteTo(w.conn)
	w.parts = [3][]byte{}
	w.wrote(err)
}

func (w *writer) wrote(err error) {
	w.dl.clear(slotWrite)
	if err != nil {
		w.err = w.dl.explain(slotWrite, err)
	}
}
