package apikey

import (
	"net/netip"
	"testing"
	"time"
)

var start = time.Unix(1700000000, 0)

func TestLimiter(t *testing.T) {
	var l Limiter
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i := range Burst {
		if wait := l.WrongKey(a, start); wait != 0 {
			t.Fatalf("wrong key %d: must wait %v", i+1, wait)
		}
	}
	for _, c := range []struct {
		source netip.Addr
		after  time.Duration
		want   time.Duration
	}{
		{a, 0, Every},
		{a, time.Second, Every - time.Second}, // what is refused costs nothing more
		{netip.AddrFrom16(a.As16()), time.Second, Every - time.Second},
		{b, time.Second, 0},
		{a, Every, 0},
		{a, Every, Every},
		{a, Every + Burst*Every, 0},
		{a, -time.Hour, Every}, // the clock was set back
	} {
		if got := l.WrongKey(c.source, start.Add(c.after)); got != c.want {
			t.Errorf("%v after %v: must wait %v, want %v", c.source, c.after, got, c.want)
		}
	}
}

func TestLimiterTakesAnIPv6NetworkForOneSource(t *testing.T) {
	var l Limiter
	addr := netip.MustParseAddr("2001:db8::1")
	for range Burst {
		l.WrongKey(addr, start)
		addr = addr.Next()
	}
	if l.WrongKey(addr.WithZone("eth0"), start) == 0 {
		t.Error("another address of the /64 is another source")
	}
	if wait := l.WrongKey(netip.MustParseAddr("2001:db8:0:1::1"), start); wait != 0 {
		t.Errorf("another /64 must wait %v", wait)
	}
}

func TestLimiterIsBounded(t *testing.T) {
	var l Limiter
	mine := netip.MustParseAddr("192.0.2.1")
	for range Burst {
		l.WrongKey(mine, start)
	}
	addr := netip.MustParseAddr("10.0.0.0")
	for i := range 3 * maxSources {
		l.WrongKey(addr, start)
		addr = addr.Next()
		if i%(maxSources/2) == 0 && l.WrongKey(mine, start) == 0 {
			t.Fatalf("a source that goes on is forgotten after %d others", i)
		}
	}
	if n := len(l.young) + len(l.old); n > 2*maxSources {
		t.Errorf("%d sources are remembered", n)
	}
}
