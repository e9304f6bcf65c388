package http1

import (
	"slices"
	"strings"
	"testing"
)

// decodeChunked feeds raw in pieces of the given size and returns all data,
// how many bytes were used, and how it ended.
func decodeChunked(raw string, piece int) (d ChunkDecoder, data string, used int, done bool, err error) {
	lim := DefaultLimits()
	d = ChunkDecoder{Limits: &lim}
	var b strings.Builder
	for used < len(raw) && !done {
		in := []byte(raw[used:min(used+piece, len(raw))])
		for len(in) > 0 && !done {
			var out []byte
			var n int
			if out, n, done, err = d.Next(in); err != nil {
				return d, b.String(), used, false, err
			}
			b.Write(out)
			in, used = in[n:], used+n
		}
	}
	if !done {
		_, _, done, err = d.Next(nil) // an error may wait behind data
	}
	return d, b.String(), used, done, err
}

func TestChunkDecoder(t *testing.T) {
	for _, c := range []struct {
		raw, want string
		trailers  []string
	}{
		{"0\r\n\r\n", "", nil},
		{"0000000000000000\r\n\r\n", "", nil},
		{"5\r\nhello\r\n0\r\n\r\n", "hello", nil},
		{"5;a=b;c=\"d;e\"\r\nhello\r\n00;last\r\n\r\n", "hello", nil},
		{"A\r\n0123456789\r\n000b\r\n\r\n0\r\n\r\nxxxx\r\n0\r\n\r\n", "0123456789\r\n0\r\n\r\nxxxx", nil},
		{"1\r\na\r\n0\r\nX-Sum: 1 \r\nGrpc-Status: 0\r\n\r\n", "a", []string{"x-sum", "1", "grpc-status", "0"}},
	} {
		for piece := 1; piece <= len(c.raw)+4; piece++ {
			d, got, used, done, err := decodeChunked(c.raw+"rest", piece)
			if got != c.want || used != len(c.raw) || !done || err != nil || !slices.Equal(d.Trailers, fields(c.trailers...)) {
				t.Errorf("%q by %d: got %q, %d of %d used, %v, trailers %v, %v", c.raw, piece, got, used, len(c.raw), done, d.Trailers, err)
			}
		}
	}
}

// TestChunkDecoderEndsWithData shows that the end comes together with the
// last data where it is there, so that both can be passed on in one write.
func TestChunkDecoderEndsWithData(t *testing.T) {
	lim := DefaultLimits()
	d := ChunkDecoder{Limits: &lim}
	data, n, done, err := d.Next([]byte("5\r\nhello\r\n0\r\nx: y\r\n\r\nGET"))
	if string(data) != "hello" || n != 21 || !done || err != nil {
		t.Errorf("got %q, %d, %v, %v", data, n, done, err)
	}
}

// TestChunkDecoderErrorStays shows that data before an error is delivered and
// that the error is not forgotten.
func TestChunkDecoderErrorStays(t *testing.T) {
	lim := DefaultLimits()
	d := ChunkDecoder{Limits: &lim}
	data, n, _, err := d.Next([]byte("5\r\nhelloX\r\n"))
	if string(data) != "hello" || err != nil {
		t.Errorf("got %q, %v", data, err)
	}
	for range 2 {
		if _, _, _, err = d.Next([]byte("5\r\nhelloX\r\n")[n:]); err != errChunkEnd {
			t.Errorf("got %v, want %v", err, errChunkEnd)
		}
	}
}

func TestChunkDecoderAllocations(t *testing.T) {
	lim := DefaultLimits()
	raw := []byte("400\r\n" + strings.Repeat("a", 1024) + "\r\n")
	d := ChunkDecoder{Limits: &lim}
	if n := testing.AllocsPerRun(100, func() { d.Next(raw) }); n != 0 {
		t.Errorf("a chunk allocates %v times, want 0", n)
	}
}
