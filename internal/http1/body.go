package http1

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/doorward/doorward/internal/header"
)

// A Body is the body of the message that a connection is reading. It may be
// read in another goroutine than the one that writes to the connection, but
// only in one.
type Body struct {
	rd      *reader
	limits  *Limits
	server  *ServerConn // asked for 100 Continue before the first wait; nil on a ClientConn
	client  *ClientConn // nil on a ServerConn
	framing Framing
	left    atomic.Int64 // Length: bytes still to come
	chunks  ChunkDecoder
	done    atomic.Bool
	broken  atomic.Bool // its end will never be known
	err     error
}

func (b *Body) begin(f Framing, length int64) {
	b.framing, b.err = f, nil
	b.left.Store(length)
	b.broken.Store(false)
	b.done.Store(f == NoBody)
	b.chunks = ChunkDecoder{Limits: b.limits}
}

// Done tells whether the body has been read to its end. It can be true right
// after Next returned the last bytes, so that they and the end of the message
// can be passed on together.
func (b *Body) Done() bool { return b.done.Load() }

// Trailers are the trailer lines; complete once Done is true.
func (b *Body) Trailers() header.Fields { return b.chunks.Trailers }

// Buffered tells whether more of the body can be had without waiting, so that
// a flush may be put off.
func (b *Body) Buffered() bool { return !b.Done() && b.err == nil && b.rd.r < b.rd.w }

// Next returns the next bytes of the body, never none without an error. They
// are valid until the next call of a method of Body or of its connection that
// reads. At the end the error is io.EOF; otherwise it is io.ErrUnexpectedEOF
// when the connection ended within the body, a *ProtocolError, a
// *TimeoutError, ErrStopped or an error of the connection. Errors stay,
// except ErrStopped.
func (b *Body) Next() ([]byte, error) { return b.next(1 << 30) }

// Read is Next for io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	data, err := b.next(len(p))
	return copy(p, data), err
}

func (b *Body) next(max int) ([]byte, error) {
	for b.err == nil && !b.Done() {
		if b.rd.r == b.rd.w && b.chunks.err == nil {
			if err := b.more(); err == ErrStopped {
				return nil, err
			} else if err != nil {
				b.fail(err)
				continue
			}
		}
		data, err := b.take(b.rd.buf[b.rd.r:min(b.rd.w, b.rd.r+max)])
		if err != nil {
			b.fail(err)
		} else if len(data) > 0 {
			return data, nil
		}
	}
	if b.err != nil {
		return nil, b.err
	}
	return nil, io.EOF
}

// fail keeps an error; the end of the connection is one, except for a body
// that lasts until then.
func (b *Body) fail(err error) {
	switch {
	case err != io.EOF:
	case b.framing == UntilClose:
		b.done.Store(true)
		return
	default:
		err = io.ErrUnexpectedEOF
	}
	var p *ProtocolError
	if b.client != nil && errors.As(err, &p) {
		err = upstreamError(p)
	}
	b.err = err
	b.broken.Store(true)
}

// more waits for bytes.
func (b *Body) more() error {
	if b.server != nil {
		if err := b.server.sendContinue(); err != nil {
			return err
		}
		return b.rd.fill(TimeoutRead, b.server.Timeouts.Read, false)
	}
	return b.rd.fill(TimeoutRead, b.client.Timeouts.Read, false)
}

// take uses bytes of b's framing from the start of in.
func (b *Body) take(in []byte) (data []byte, err error) {
	switch b.framing {
	case Chunked:
		data, n, done, err := b.chunks.Next(in)
		b.rd.r += n
		if done {
			b.done.Store(true)
		}
		return data, err
	case Length:
		left := b.left.Load()
		if int64(len(in)) >= left {
			in = in[:left]
			b.done.Store(true)
		}
		b.left.Store(left - int64(len(in)))
	}
	b.rd.r += len(in)
	return in, nil
}

// discard reads on to the end, but no more than max bytes of body.
func (b *Body) discard(max int64) error {
	for {
		data, err := b.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if max -= int64(len(data)); max < 0 {
			return ErrLongBody
		}
	}
}
