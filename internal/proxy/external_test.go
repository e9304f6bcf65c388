package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/telemetry"
)

// askers is an Authorizer that does what the test wants.
type askers func(context.Context, *plan.Provider, *plan.Check) plan.Verdict

func (f askers) Ask(ctx context.Context, p *plan.Provider, c *plan.Check) plan.Verdict {
	return f(ctx, p, c)
}

// guarded is a listener that asks p about everything, before a route to to.
func guarded(p *plan.Provider, to *plan.Backend) *plan.Listener {
	l := &plan.Listener{Key: "gw", Dialect: plan.Envoy, Chains: []*plan.Chain{{Hosts: []*plan.Host{{Name: "*", Routes: []*plan.Route{
		{Action: &plan.Forward{To: []plan.Destination{{Backend: to, Weight: 1}}, Retry: plan.Retry{Attempts: 1, On: plan.On5xx}}},
	}}}}}}
	if p != nil {
		p.StatusOnError = 403
		l.Guards = []plan.Guard{&plan.External{Provider: p, When: plan.NewPolicySet(1, []*plan.PolicyRule{{}}, 0, nil)}}
	}
	return l
}

// A check takes the first bytes of a body, and the application gets all of it,
// whatever is spoken on either side, and again when it is tried again.
func TestBodyOfACheck(t *testing.T) {
	for _, up := range []plan.Protocol{plan.HTTP1, plan.HTTP2} {
		for _, size := range []int{0, 1, 999, 1000, 1001, 20 << 10, 100 << 10, 3 << 20} {
			for _, chunked := range []bool{false, true} {
				t.Run(fmt.Sprint(up, size, chunked), func(t *testing.T) {
					sent := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
					var tries int
					app := serveBoth(t, func(w http.ResponseWriter, r *http.Request) {
						tries++
						got, err := io.ReadAll(r.Body)
						if err != nil || !bytes.Equal(got, sent) {
							t.Errorf("try %d: the application gets %d bytes, want %d: %v", tries, len(got), size, err)
						}
						if tries == 1 && size <= 20<<10 {
							w.WriteHeader(503)
						}
					})
					asked := make(chan *plan.Check, 1)
					r := newRig(t, "gw", func(o *Options) {
						o.Authorizer = askers(func(_ context.Context, _ *plan.Provider, c *plan.Check) plan.Verdict {
							kept := *c // it is the exchange's, and used anew
							kept.Header, kept.Body = c.Header.Clone(), bytes.Clone(c.Body)
							asked <- &kept
							return plan.Verdict{Allowed: true}
						})
					}, guarded(&plan.Provider{Body: 1000, PartialBody: true}, &plan.Backend{Key: "app", Protocol: up, Endpoints: []plan.Endpoint{{Address: app}}}))
					var body io.Reader = bytes.NewReader(sent)
					if chunked {
						body = io.MultiReader(body)
					}
					resp, err := http.Post("http://"+r.addr+"/", "text/plain", body)
					if err != nil {
						t.Fatal(err)
					}
					resp.Body.Close()
					if resp.StatusCode != 200 {
						t.Errorf("got %d", resp.StatusCode)
					}
					check := <-asked
					partial, told := check.Header.Get("x-envoy-auth-partial-body")
					if !bytes.Equal(check.Body, sent[:min(size, 1000)]) || told != (size > 0) || told && size > 1000 != (partial == "true") && size != 1000 {
						t.Errorf("the check has %d bytes, partial: %q", len(check.Body), partial)
					}
				})
			}
		}
	}
}

// serveBoth answers HTTP/1.1 and HTTP/2 in plain text.
func serveBoth(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	go s.Serve(ln)
	t.Cleanup(func() { s.Close() })
	return ln.Addr().String()
}

// A body over the bound is read no further than that, and its connection ends.
func TestBodyTooLargeForACheck(t *testing.T) {
	r := newRig(t, "gw", func(o *Options) {
		o.Authorizer = askers(func(context.Context, *plan.Provider, *plan.Check) plan.Verdict {
			t.Error("it is asked")
			return plan.Verdict{}
		})
	}, guarded(&plan.Provider{Body: 1000, FailOpen: true}, &plan.Backend{Key: "app", Endpoints: []plan.Endpoint{{Address: "127.0.0.1:1"}}}))
	read, write := io.Pipe()
	go func() {
		write.Write(make([]byte, 1001)) // no end follows
	}()
	defer write.Close()
	resp, err := http.Post("http://"+r.addr+"/", "text/plain", read)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 413 || string(body) != "Payload Too Large" {
		t.Errorf("got %d %s", resp.StatusCode, body)
	}
}

// Who goes away while an authorizer is asked ends the asking, and nothing is sent on.
func TestClientLeavesWhileAsking(t *testing.T) {
	asked, ended := make(chan struct{}), make(chan struct{})
	r := newRig(t, "gw", func(o *Options) {
		o.Authorizer = askers(func(ctx context.Context, _ *plan.Provider, _ *plan.Check) plan.Verdict {
			close(asked)
			<-ctx.Done()
			close(ended)
			return plan.Verdict{Err: ctx.Err()}
		})
	}, guarded(&plan.Provider{FailOpen: true}, &plan.Backend{Key: "app", Endpoints: []plan.Endpoint{{Address: serveBoth(t, func(http.ResponseWriter, *http.Request) {
		t.Error("the application is asked")
	})}}}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+r.addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("got %d", resp.StatusCode)
	}
	<-ended
}

// A refusal is recorded with Envoy's flag and its reason, which is not sent.
func TestRecordOfARefusal(t *testing.T) {
	var lines bytes.Buffer
	log := telemetry.NewAccessLog(telemetry.JSON, &lines)
	r := newRig(t, "gw", func(o *Options) {
		o.AccessLog = log
		o.Authorizer = askers(func(context.Context, *plan.Provider, *plan.Check) plan.Verdict {
			return plan.Verdict{Status: 302, Body: "b"}
		})
	}, guarded(&plan.Provider{Name: "login"}, &plan.Backend{Key: "app"}))
	resp, err := new(http.Transport).RoundTrip(&http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: r.addr, Path: "/"}, Header: http.Header{}, Close: true})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := r.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"UAEX"`, `refused by login`, `302`} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("got %s, want %s in it", lines.String(), want)
		}
	}
}
