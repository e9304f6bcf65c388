package http1

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// tcpPair is two ends of a TCP connection on loopback.
func tcpPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func TestDirectCarriesMoreThanTheSocketHolds(t *testing.T) {
	a, b := tcpPair(t)
	d := Direct(a)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB: writes have to wait
	done := make(chan error, 1)
	go func() {
		n, err := d.Write(sent)
		if err == nil && n != len(sent) {
			err = io.ErrShortWrite
		}
		d.Close()
		done <- err
	}()
	got, err := io.ReadAll(Direct(b))
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(sent))
	}
	if err := <-done; err != nil {
		t.Errorf("write: %v", err)
	}
}

func TestDirectKeepsDeadlinesAndCloses(t *testing.T) {
	a, b := tcpPair(t)
	d := Direct(a)
	if n, err := d.Read(nil); n != 0 || err != nil {
		t.Errorf("reading nothing: got %d, %v", n, err)
	}
	d.SetReadDeadline(time.Unix(1, 0))
	if _, err := d.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: got %v, want a deadline", err)
	}
	d.SetWriteDeadline(time.Unix(1, 0))
	if _, err := d.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("write: got %v, want a deadline", err)
	}
	d.SetDeadline(time.Time{})
	b.Close()
	if n, err := d.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the peer's close: got %d, %v, want EOF", n, err)
	}
	d.Close()
	if _, err := d.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after Close: got %v", err)
	}
	if _, err := d.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after Close: got %v", err)
	}
	if pipe, _ := net.Pipe(); Direct(pipe) != pipe {
		t.Error("a pipe does not come back as it is")
	}
}

func TestYielderStopsWhereItDoesNotHelp(t *testing.T) {
	asked := func(y *yielder, something bool) (n int) {
		for range 160 {
			y.yield()
			if y.asked {
				n++
			}
			y.saw(something)
		}
		return n
	}
	if n := asked(&yielder{}, false); n != 160/tryEvery {
		t.Errorf("without help it yields %d times of 160", n)
	}
	y := &yielder{}
	if n := asked(y, true); n < 140 {
		t.Errorf("with help it yields %d times of 160", n)
	}
	if n := asked(y, false); n > 160/tryEvery+mostHelped {
		t.Errorf("when it helps no longer it yields %d times of 160", n)
	}
}

// A reader that takes a little now and then must not hold a write for ever: the
// limit is for the whole write.
func TestOutletStartsOneLimitForAWrite(t *testing.T) {
	a, b := tcpPair(t)
	limits := 0
	var o outlet
	o.init(plainSocket(a), func() { limits++ })
	done := make(chan error, 1)
	go func() { done <- o.write(make([]byte, 32<<20)) }()
	if n, err := io.Copy(io.Discard, io.LimitReader(b, 32<<20)); n != 32<<20 {
		t.Errorf("got %d bytes, %v", n, err)
	}
	if err := <-done; err != nil || limits != 1 {
		t.Errorf("got %v after %d limits, want one", err, limits)
	}
}
