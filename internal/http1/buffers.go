package http1

import "sync"

// Buffers come from two pools: one for reading and writing, one for heads
// that outgrow the first. A connection holds a buffer only while it has
// bytes to keep in it.
const (
	bufferSize    = 16 << 10
	bigBufferSize = 72 << 10 // the default limits of a head together, and more
)

var (
	buffers    = sync.Pool{New: func() any { return new([bufferSize]byte) }}
	bigBuffers = sync.Pool{New: func() any { return new([bigBufferSize]byte) }}
)

// getBuffer returns a buffer of at least n bytes and of bufferSize or more.
func getBuffer(n int) []byte {
	switch {
	case n <= bufferSize:
		return buffers.Get().(*[bufferSize]byte)[:]
	case n <= bigBufferSize:
		return bigBuffers.Get().(*[bigBufferSize]byte)[:]
	}
	return make([]byte, n)
}

// putBuffer takes back what getBuffer gave, at its full length or shorter.
func putBuffer(b []byte) {
	switch cap(b) {
	case bufferSize:
		buffers.Put((*[bufferSize]byte)(b[:bufferSize]))
	case bigBufferSize:
		bigBuffers.Put((*[bigBufferSize]byte)(b[:bigBufferSize]))
	}
}
