package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// at is a world whose clock shows a time.
type at struct {
	Closed
	t time.Time
}

func (w at) Now() time.Time  { return w.t }
func (at) Chance() float64   { return 0 }
func (at) ID() (id [16]byte) { return id }

func someMoment(status int) *moment {
	return &moment{
		hop: &Hop{
			req: &match.Request{Method: "GET", Host: "a.example.com", Target: "/p?q", Scheme: "https", Header: header.Fields{
				{Name: "x-a", Value: "one"}, {Name: "x-a", Value: "two"}, {Name: "x-request-id", Value: "id"}}},
			world: at{t: time.Date(2024, 5, 1, 12, 30, 5, 123456789, time.UTC)}, sni: "sni.example.com", client: "198.51.100.1", peer: "192.0.2.7", major: 2,
			Route: &Route{Name: "first"}, To: &Destination{Backend: &Backend{Key: "outbound|80||app"}},
		},
		status: status, response: header.Fields{{Name: "x-r", Value: "res"}},
	}
}

func TestValue(t *testing.T) {
	for _, c := range []struct{ written, want string }{
		{"", ""},
		{"plain", "plain"},
		{"100%%", "100%"},
		{"%%%%", "%%"},
		{"%REQ(x-a)%", "one"}, // the first of several
		{"<%REQ(X-A)%>", "<one>"},
		{"%REQ(x-none)%", ""},
		{"%REQ(x-none?x-a)%", "one"},
		{"%REQ(x-a):2%", "on"},
		{"%REQ(:authority)%%REQ(:PATH)% %REQ(:METHOD)% %REQ(host)% %REQ(:scheme)%", "a.example.com/p?q GET a.example.com https"},
		{"%%%REQ(x-a)%%%", "%one%"},
		{"%RESP(x-r)% %RESP(:status)%", "res 201"},
		{"%RESPONSE_CODE%", "201"},
		{"%PROTOCOL%", "HTTP/2"},
		{"%REQUESTED_SERVER_NAME%", "sni.example.com"},
		{"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "198.51.100.1"},
		{"%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%", "192.0.2.7"},
		{"%ROUTE_NAME% to %UPSTREAM_CLUSTER%", "first to outbound|80||app"},
		{"%STREAM_ID%", "id"},
		{"%START_TIME%", "2024-05-01T12:30:05.123Z"},
		{"t=%START_TIME(%s.%3f)%", "t=1714566605.123"},
		{"%START_TIME(%Y/%m/%d %H:%M:%S %f%%)%", "2024/05/01 12:30:05 123456789%"},
	} {
		v, err := ParseValue(c.written)
		if err != nil {
			t.Errorf("%q: %v", c.written, err)
			continue
		}
		if got := v.expand(someMoment(201)); got != c.want {
			t.Errorf("%q: got %q, want %q", c.written, got, c.want)
		}
		if v.String() != c.written {
			t.Errorf("%q prints as %q", c.written, v.String())
		}
	}
}

func TestParseValueRefuses(t *testing.T) {
	for _, c := range []struct{ written, why string }{
		{"100%", "lone"}, {"%", "lone"}, {"% %", "lone"}, {"%REQ(x%", "lone"}, {"%REQ(x)", "lone"},
		{"%REQ%", "names no header"}, {"%REQ()%", "names no header"}, {"%REQ(x):0%", "length"},
		{"%HOSTNAME%", "not carried out"}, {"%UPSTREAM_HOST%", "not carried out"}, {"%nonsense%", "lone"},
		{"%PROTOCOL(x)%", "nothing in brackets"}, {"%START_TIME(%Q)%", "%Q of START_TIME"},
	} {
		v, err := ParseValue(c.written)
		if err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%q: got %v, %v, want an error with %q", c.written, v, err, c.why)
		}
	}
}

func FuzzParseValue(f *testing.F) {
	for _, s := range []string{"a%%b", "%REQ(x?y):3%", "%START_TIME(%s%%)%", "%RESP()%", "%", "%%%", "%REQ(?)%", "%REQ(a)%%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseValue(s)
		if err != nil {
			return
		}
		v.expand(someMoment(0))
		v.expand(&moment{hop: &Hop{}, status: 200}) // a hop that read no rule
		again, err := ParseValue(v.String())
		if err != nil || again.expand(someMoment(200)) != v.expand(someMoment(200)) {
			t.Errorf("%q prints as %q, which reads otherwise: %v", s, v.String(), err)
		}
		if lit := Literal(s); lit.expand(nil) != s {
			t.Errorf("the literal %q expands to %q", s, lit.expand(nil))
		} else if back, err := ParseValue(lit.String()); err != nil || back.expand(nil) != s {
			t.Errorf("the literal %q prints as %q, which reads otherwise: %v", s, lit.String(), err)
		}
	})
}
