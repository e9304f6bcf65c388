package meter

import (
	"net/netip"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	var b Buckets
	alice, bob := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	now := time.Unix(1000, 0)
	drip := func(zone string, client netip.Addr, at time.Duration) bool {
		return b.Drip(zone, client, 120, 4, now.Add(at))
	}
	for i := range 5 { // one, and a burst of four
		if !drip("a", alice, 0) {
			t.Fatalf("request %d is refused", i)
		}
	}
	for _, c := range []struct {
		zone   string
		client netip.Addr
		at     time.Duration
		want   bool
	}{
		{"a", alice, 0, false},
		{"a", alice, 499 * time.Millisecond, false}, // two a second leak
		{"a", alice, 500 * time.Millisecond, true},
		{"a", alice, 500 * time.Millisecond, false},
		{"a", bob, 0, true},
		{"b", alice, 0, true},
		{"a", alice, -time.Hour, false}, // a clock that was set back gives nothing
		{"a", alice, time.Hour, true},
	} {
		if got := drip(c.zone, c.client, c.at); got != c.want {
			t.Errorf("%s %s at %s: got %v, want %v", c.zone, c.client, c.at, got, c.want)
		}
	}
}

func TestBucketsAreBounded(t *testing.T) {
	var b Buckets
	a := netip.MustParseAddr("2001:db8::1")
	for range 3 * maxBuckets {
		b.Drip("z", a, 1, 1, time.Unix(1000, 0))
		a = a.Next()
	}
	if n := len(b.young) + len(b.old); n > 2*maxBuckets {
		t.Errorf("%d buckets are kept", n)
	}
}

// Who is refused all the time is not forgotten for it.
func TestTheRefusedAreRemembered(t *testing.T) {
	var b Buckets
	now := time.Unix(1000, 0)
	refused, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	b.Drip("z", refused, 1, 0, now)
	for i := range 3 * maxBuckets {
		b.Drip("z", other, 1, 0, now)
		other = other.Next()
		if i%1000 == 0 && b.Drip("z", refused, 1, 0, now) {
			t.Fatalf("let in after %d others", i)
		}
	}
}

func TestEnter(t *testing.T) {
	var b Buckets
	alice, bob := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	leave, ok := b.Enter("z", alice, 2)
	second, ok2 := b.Enter("z", alice, 2)
	if _, third := b.Enter("z", alice, 2); !ok || !ok2 || third {
		t.Errorf("got %v, %v, %v, want two inside", ok, ok2, third)
	}
	if _, ok := b.Enter("z", bob, 1); !ok {
		t.Error("clients are counted by themselves")
	}
	leave()
	if _, ok := b.Enter("z", alice, 2); !ok {
		t.Error("who has left makes room")
	}
	second()
	if n := len(b.inside); n != 2 {
		t.Errorf("%d clients are inside, want 2", n)
	}
}
