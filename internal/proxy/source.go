package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/http1"
)

// source is a body that is being received. *http1.Body is one, and says what
// each method means.
type source interface {
	Next() ([]byte, error)
	Done() bool
	Buffered() bool
	Trailers() header.Fields
}

// client is the near side of an exchange. *http1.ServerConn is one, and says
// what each method means.
type client interface {
	Begin(status int, fields header.Fields, length int64) error
	Write(p []byte) (int, error)
	Flush() error
	End(trailers header.Fields) error
	Interim(status int, fields header.Fields) error
	Begun() bool
	StopReading()
	Watch(from time.Time, gone func())
	Unwatch()
	Hijack() net.Conn
	// Shutdown makes this the last request of the connection.
	Shutdown()
}

var (
	_ client = (*http1.ServerConn)(nil)
	_ source = (*http1.Body)(nil)
)

// pieces are buffers for bodies that come from an io.Reader.
var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

const pieceSize = 16 << 10

// stream makes a source of a reader, for HTTP/2. It holds a buffer only while
// its bytes are in use.
type stream struct {
	r        io.ReadCloser
	trailers func() header.Fields // asked at the end; nil: none
	buf      *[pieceSize]byte
	done     atomic.Bool
	err      error
}

func (s *stream) Next() ([]byte, error) {
	if s.done.Load() {
		s.release()
		return nil, io.EOF
	}
	if s.err != nil {
		return nil, s.err
	}
	if s.buf == nil {
		s.buf = pieces.Get().(*[pieceSize]byte)
	}
	for {
		n, err := s.r.Read(s.buf[:])
		if errors.Is(err, io.EOF) {
			s.done.Store(true)
		} else if err != nil {
			s.err = err
		}
		switch {
		case n > 0:
			return s.buf[:n], nil
		case s.done.Load():
			s.release()
			return nil, io.EOF
		case err != nil:
			s.release()
			return nil, err
		}
	}
}

// release gives the buffer back.
func (s *stream) release() {
	if s.buf != nil {
		pieces.Put(s.buf)
		s.buf = nil
	}
}

func (s *stream) Done() bool     { return s.done.Load() }
func (s *stream) Buffered() bool { return false }

func (s *stream) Trailers() header.Fields {
	if s.trailers == nil {
		return nil
	}
	return s.trailers()
}
