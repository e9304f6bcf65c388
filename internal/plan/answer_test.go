package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

func twoHops() *Outcome {
	edge, gateway := &Listener{Key: Edge, Dialect: NGINX}, &Listener{Key: "istio-system/gw:80", Dialect: Envoy}
	forward := &Route{Action: &Forward{}}
	o := &Outcome{Kind: ToForward, n: 2}
	o.hops[0], o.hops[1] = Hop{Listener: edge, Route: forward}, Hop{Listener: gateway, Route: forward}
	return o
}

func TestAnswerAtIsToldByThatHopAndEditedByThoseBefore(t *testing.T) {
	for _, c := range []struct {
		hop                int
		body, server, took string
	}{
		{0, "<title>504 Gateway Time-out</title>", "", ""},
		{1, "upstream request timeout", "", ""},
	} {
		o, r := twoHops(), &match.Request{}
		o.AnswerAt(c.hop, r, o.Hops()[c.hop].Listener.Fail(r, Timeout, false))
		f := o.Reply.Header.Clone()
		o.EditResponse(o.Reply.Status, &f, time.Second, false)
		if o.Kind != ToRespond || o.Reply.Status != 504 || !strings.Contains(o.Reply.Body, c.body) {
			t.Errorf("hop %d: got %v %d %q, want a 504 with %q", c.hop, o.Kind, o.Reply.Status, o.Reply.Body, c.body)
		}
		if got := f.Value("server"); got != c.server {
			t.Errorf("hop %d: server: got %q, want %q", c.hop, got, c.server)
		}
		if got := f.Value("x-envoy-upstream-service-time"); got != c.took {
			t.Errorf("hop %d: service time: got %q, want %q", c.hop, got, c.took)
		}
		if len(o.Hops()) != c.hop+1 {
			t.Errorf("hop %d: %d hops are left", c.hop, len(o.Hops()))
		}
	}
}

func TestRefuseNeedsNoRoute(t *testing.T) {
	for _, c := range []struct {
		l      *Listener
		status int
		body   string
	}{
		{&Listener{Dialect: NGINX}, 405, "405 Not Allowed"},
		{&Listener{Dialect: Envoy}, 404, ""},
	} {
		o := twoHops()
		o.Refuse(c.l, &match.Request{}, Reply{Status: c.status, Reason: "CONNECT"})
		var f header.Fields
		o.EditResponse(c.status, &f, 0, false)
		if o.Reply.Status != c.status || !strings.Contains(o.Reply.Body, c.body) || len(o.Hops()) != 1 || o.Last() != c.l {
			t.Errorf("got %d %q of %v, want %d", o.Reply.Status, o.Reply.Body, o.Last(), c.status)
		}
	}
}
