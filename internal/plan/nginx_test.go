package plan

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// edgeWith is an edge with these hosts.
func edgeWith(e EdgeSettings, hosts ...*Host) (*Plan, *Listener) {
	l := &Listener{Key: Edge, Dialect: NGINX, Form: match.FormNGINX, Edge: &e, Chains: []*Chain{{Hosts: hosts}}}
	var b Builder
	b.Add(l)
	return b.Build(), l
}

// plainEdge is an edge whose every host forwards everything.
func plainEdge(e EdgeSettings) (*Plan, *Listener) {
	return edgeWith(e, &Host{Name: "*", Routes: []*Route{forwarding(Forward{})}})
}

const page404 = "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n" +
	"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"

func TestPages(t *testing.T) {
	const padding = "<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n"
	for _, c := range []struct {
		status int
		agent  string
		want   int    // status
		body   string // "": any
		length int
		pads   int
	}{
		{404, "", 404, page404, 146, 0},
		{404, "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36", 404, "", 548, 6},
		{404, "Mozilla/4.0 (compatible; MSIE 8.0; Windows)", 404, "", 548, 6},
		{404, "Mozilla/5.0 Gecko/20100101 Chrome/1", 404, page404, 146, 0},
		{404, "Opera/9 Chrome/1", 404, page404, 146, 0},
		{404, "curl/8.0", 404, page404, 146, 0},
		{400, "Chrome/120", 400, "", 150, 0},
		{414, "Chrome/120", 414, "", 170, 0},
		{308, "Chrome/120", 308, "", 164, 0},
		{301, "", 301, "", 162, 0},
		{405, "", 405, "", 150, 0},
		{statusHeaderTooLarge, "", 400, "", 226, 0},
		{200, "", 200, "", 0, 0},
		{304, "", 304, "", 0, 0},
	} {
		r := request(header.Field{Name: "user-agent", Value: c.agent})
		got := renderNGINX(r, Reply{Status: c.status})
		if got.Status != c.want || len(got.Body) != c.length || c.body != "" && got.Body != c.body || strings.Count(got.Body, padding) != c.pads {
			t.Errorf("%d for %q: got %d with %d bytes\n%s", c.status, c.agent, got.Status, len(got.Body), got.Body)
		}
		if ct := got.Header.Value("content-type"); got.Body != "" && ct != "text/html" {
			t.Errorf("%d: content-type %q", c.status, ct)
		}
	}
}

// What NGINX refuses before it looks at any rule.
func TestTheEdgeRefuses(t *testing.T) {
	p, l := plainEdge(EdgeSettings{HeaderBuffers: 4, HeaderBufferSize: 8 << 10})
	line := func(n int) header.Field { return header.Field{Name: "x", Value: strings.Repeat("a", n)} }
	lines := func(k, n int) (f header.Fields) {
		for range k {
			f = append(f, line(n))
		}
		return f
	}
	const long = 8192 - len("GET  HTTP/1.1\r\n")
	for _, c := range []struct {
		name string
		edit func(r *match.Request)
		want int // 0: it passes
	}{
		{"a plain request", func(r *match.Request) {}, 0},
		{"TRACE", func(r *match.Request) { r.Method = "TRACE" }, 405},
		{"CONNECT", func(r *match.Request) { r.Method, r.Target = "CONNECT", "app.example.com:443" }, 400},
		{"OPTIONS *", func(r *match.Request) { r.Method, r.Target = "OPTIONS", "*" }, 400},
		{"a path above the root", func(r *match.Request) { r.Target = "/a/../../b" }, 400},
		{"an escaped path above the root", func(r *match.Request) { r.Target = "/%2e%2e/b" }, 400},
		{"half an escape", func(r *match.Request) { r.Target = "/%2" }, 400},
		{"an escaped NUL", func(r *match.Request) { r.Target = "/%00" }, 400},
		{"no Host", func(r *match.Request) { r.Host = "" }, 400},
		{"no Host in HTTP/1.0", func(r *match.Request) { r.Host, r.Minor = "", 0 }, 0},
		{"an empty label", func(r *match.Request) { r.Host = "a..b" }, 400},
		{"a dot", func(r *match.Request) { r.Host = "." }, 400},
		{"a port alone", func(r *match.Request) { r.Host = ":80" }, 400},
		{"a blank", func(r *match.Request) { r.Host = "a b" }, 400},
		{"a slash", func(r *match.Request) { r.Host = "a/b" }, 400},
		{"an address", func(r *match.Request) { r.Host = "[::1]:80" }, 0},
		{"the longest request line", func(r *match.Request) { r.Target = "/" + strings.Repeat("a", long-1) }, 0},
		{"a longer one", func(r *match.Request) { r.Target = "/" + strings.Repeat("a", long) }, 414},
		{"the longest field", func(r *match.Request) { r.Header = header.Fields{line(8187)} }, 0},
		{"a longer one ", func(r *match.Request) { r.Header = header.Fields{line(8188)} }, 400},
		{"as many fields as fit", func(r *match.Request) { r.Header = lines(16, 2000) }, 0},
		{"one more", func(r *match.Request) { r.Header = lines(17, 2000) }, 400},
	} {
		r := request()
		c.edit(r)
		var out Outcome
		p.Walk(l, r, still{}, nil, &out)
		got := 0
		if out.Kind == ToRespond {
			got = out.Reply.Status
		}
		if got != c.want {
			t.Errorf("%s: got %d, want %d (%s)", c.name, got, c.want, out.Reason)
		}
	}
}

// The star of a wildcard is one label of letters, digits, hyphens and underscores.
func TestWildcardsOfTheEdge(t *testing.T) {
	answer := func(body string) []*Route { return []*Route{{Action: &Direct{Status: 200, Body: body}}} }
	p, l := edgeWith(EdgeSettings{}, &Host{Name: "*", Routes: answer("any")}, &Host{Name: "*.example.org", Routes: answer("wild")},
		&Host{Name: "a.example.org", Routes: answer("exact")})
	for host, want := range map[string]string{
		"a.example.org": "exact", "A.Example.Org.:8080": "exact", "b.example.org": "wild", "b-_9.example.org:1": "wild",
		"b.a.example.org": "any", "example.org": "any", ".example.org": "any", "b~.example.org": "any", "[::1]:80": "any", "b@c.example.org": "any",
	} {
		r := request()
		r.Host = host
		var out Outcome
		p.Walk(l, r, still{}, nil, &out)
		if out.Reply.Body != want {
			t.Errorf("%s: got %q, want %q (%s)", host, out.Reply.Body, want, out.Reason)
		}
	}
}

// A client cannot say who it is, what it asked for or how it came, in any letter
// case or number of lines.
func TestClientsCannotForgeTheEdgesFields(t *testing.T) {
	p, l := plainEdge(EdgeSettings{})
	for _, name := range []string{"x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
		"x-forwarded-scheme", "x-scheme", "x-original-forwarded-for", "x-original-forwarded-host", "proxy", "x_forwarded_for", "x.real.ip"} {
		r := request(header.Field{Name: name, Value: "forged"}, header.Field{Name: name, Value: "forged"})
		var out Outcome
		p.Walk(l, r, still{}, nil, &out)
		for _, f := range r.Header {
			moved := name == "x-forwarded-for" && f.Name == "x-original-forwarded-for" || name == "x-forwarded-host" && f.Name == "x-original-forwarded-host"
			if strings.Contains(f.Value, "forged") && !moved {
				t.Errorf("%s passes the edge as %s: %s", name, f.Name, f.Value)
			}
		}
	}
}

// What the client may say.
func TestFieldsThatPassTheEdge(t *testing.T) {
	p, l := plainEdge(EdgeSettings{})
	for _, name := range []string{"x-forwarded-prefix", "forwarded", "x-original-uri", "authorization", "x-request-id", "ssl-client-cert"} {
		r := request(header.Field{Name: name, Value: "v"})
		var out Outcome
		p.Walk(l, r, still{}, nil, &out)
		if got := r.Header.Value(name); got != "v" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestTheClientBehindTrustedPeers(t *testing.T) {
	any4 := netip.MustParsePrefix("0.0.0.0/0")
	ten := netip.MustParsePrefix("10.0.0.0/8")
	six := netip.MustParsePrefix("2001:db8::/32")
	for _, c := range []struct {
		trusted []netip.Prefix
		peer    string
		list    []string
		want    string
	}{
		{nil, "10.0.0.1", []string{"203.0.113.9"}, "10.0.0.1"},
		{[]netip.Prefix{ten}, "192.0.2.1", []string{"203.0.113.9"}, "192.0.2.1"},
		{[]netip.Prefix{ten}, "10.0.0.1", []string{"203.0.113.9"}, "203.0.113.9"},
		{[]netip.Prefix{ten}, "10.0.0.1", []string{"198.51.100.1", "203.0.113.9, 10.0.0.2 , 10.0.0.3,"}, "203.0.113.9"},
		{[]netip.Prefix{any4}, "10.0.0.1", []string{"198.51.100.1, 203.0.113.9"}, "198.51.100.1"},
		{[]netip.Prefix{any4}, "10.0.0.1", []string{"forged, 203.0.113.9:4711"}, "203.0.113.9"},
		{[]netip.Prefix{any4}, "10.0.0.1", []string{"203.0.113.9, forged"}, "10.0.0.1"},
		{[]netip.Prefix{any4}, "::ffff:10.0.0.1", []string{"203.0.113.9"}, "203.0.113.9"},
		{[]netip.Prefix{six}, "2001:db8::1", []string{"[2001:db9::5]:80"}, "2001:db9::5"},
		{[]netip.Prefix{any4}, "10.0.0.1", []string{"2001:db8::1%zone"}, "10.0.0.1"},
		{[]netip.Prefix{any4}, "10.0.0.1", []string{", ,"}, "10.0.0.1"},
		{[]netip.Prefix{any4}, "10.0.0.1", nil, "10.0.0.1"},
	} {
		p, l := plainEdge(EdgeSettings{Trusted: c.trusted, ForwardedFor: "x-forwarded-for"})
		r := request()
		r.Peer = netip.MustParseAddr(c.peer)
		for _, v := range c.list {
			r.Header.Add("x-forwarded-for", v)
		}
		var out Outcome
		p.Walk(l, r, still{}, nil, &out)
		if got := r.Header.Value("x-real-ip"); got != c.want {
			t.Errorf("%s behind %q of %s: got %s, want %s", c.peer, c.list, c.trusted, got, c.want)
		}
	}
}

// HTTP/1.0 may come without Host; the upstream is then told the name of the
// server for all others.
func TestNoHostInHTTP10(t *testing.T) {
	p, l := plainEdge(EdgeSettings{})
	r := request()
	r.Host, r.Minor = "", 0
	var out Outcome
	p.Walk(l, r, still{}, nil, &out)
	if out.Kind != ToForward || r.Host != "_" || r.Header.Value("x-forwarded-host") != "_" {
		t.Errorf("got %v, host %q, %v", out.Kind, r.Host, r.Header)
	}
}

// The edge tells failures as NGINX does.
func TestFailuresOfTheEdge(t *testing.T) {
	l := &Listener{Dialect: NGINX}
	for f, want := range map[Failure]int{ConnectFailure: 502, ConnectTimeout: 504, Reset: 502, BadResponse: 502, Timeout: 504, HeaderTooBig: 502} {
		if got := l.Fail(request(), f, false); got.Status != want || !strings.Contains(got.Body, "<hr><center>nginx</center>") {
			t.Errorf("%v: got %d %q, want %d", f, got.Status, got.Body, want)
		}
	}
}

// What is between NGINX and its upstream stays there; the rest passes.
func TestAnswersThroughTheEdge(t *testing.T) {
	p, l := plainEdge(EdgeSettings{HSTS: "max-age=1"})
	r := request()
	r.Secure = true
	var out Outcome
	p.Walk(l, r, still{}, nil, &out)
	f := header.Fields{{Name: "server", Value: "app"}, {Name: "x-accel-redirect", Value: "/internal"}, {Name: "x-accel-buffering", Value: "no"},
		{Name: "location", Value: "http://app:8080/x"}, {Name: "set-cookie", Value: "a=b; Path=/x"}, {Name: "strict-transport-security", Value: "max-age=2"}}
	out.EditResponse(200, &f, 0, true)
	want := "[{location http://app:8080/x} {set-cookie a=b; Path=/x} {strict-transport-security max-age=1}]"
	if got := strings.ReplaceAll(strings.TrimSpace(strings.Join(strings.Fields(sprint(f)), " ")), "\n", ""); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func sprint(f header.Fields) string {
	var parts []string
	for _, x := range f {
		parts = append(parts, "{"+x.Name+" "+x.Value+"}")
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// A walk through the edge allocates no more than what it tells the upstream.
func TestAllocationsOfTheEdge(t *testing.T) {
	p, l := plainEdge(EdgeSettings{HSTS: "max-age=1", HeaderBuffers: 4, HeaderBufferSize: 8 << 10, ForwardedFor: "x-forwarded-for"})
	var out Outcome
	r := request(header.Field{Name: "x-request-id", Value: "mine"})
	r.Header = append(make(header.Fields, 0, 32), r.Header...)
	got := testing.AllocsPerRun(100, func() {
		r.Host, r.Target = "app.example.com", "/x"
		p.Walk(l, r, still{}, nil, &out)
	})
	if got > 3 { // the peer's address, the reason, and the name of the hop
		t.Errorf("got %v allocations", got)
	}
}
