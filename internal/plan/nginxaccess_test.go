package plan

import (
	"net/netip"
	"testing"
)

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		list, addr string
		want       bool
	}{
		{"10.0.0.0/8", "10.1.2.3", true},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"::/0", "2001:db8::1", true},
		{"fe80::/10", "fe80::1%eth0", true},
	} {
		if got := within([]netip.Prefix{netip.MustParsePrefix(c.list)}, netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("%s in %s: got %v, want %v", c.addr, c.list, got, c.want)
		}
	}
}

// A client's trailer must not say what the answer of auth-url would have said.
func TestTrailersOfAskedRoutes(t *testing.T) {
	asked := &EdgeAuth{Headers: []string{"x-user"}}
	for _, g := range []Guard{asked, &AnyOf{Guards: []Guard{asked}}} {
		if !fillsOne([]Guard{g}, "x_user") || fillsOne([]Guard{g}, "x-other") {
			t.Errorf("%T: x_user must be filled by it, and nothing else", g)
		}
	}
}
