package plan

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// Provider is an external authorizer (MeshConfig extensionProviders,
// envoyExtAuthzHttp and envoyExtAuthzGrpc).
type Provider struct {
	Name    string
	Origin  Origin
	Backend *Backend
	GRPC    bool
	// Edge is an authorizer of the edge's (EdgeAuth), which judges in NGINX's way.
	Edge bool
	// Host is the authority that checks are sent with over gRPC; HTTP checks keep
	// the request's.
	Host       string
	PathPrefix string
	Timeout    time.Duration
	FailOpen   bool
	// StatusOnError is told when the authorizer gives no verdict.
	StatusOnError int
	// SendHeaders are the fields of the request that an HTTP check carries, beside
	// Authorization; AddHeaders are set on it.
	SendHeaders []match.Text
	AddHeaders  header.Fields
	// UpstreamOnAllow, DownstreamOnAllow and DownstreamOnDeny choose the fields of
	// an HTTP verdict that go on. Without DownstreamOnDeny all go.
	UpstreamOnAllow, DownstreamOnAllow, DownstreamOnDeny []match.Text
	// Body bounds how many bytes of the request's body a check carries; 0 is none.
	Body        int
	PartialBody bool // a longer body is cut, otherwise it is 413
	PackAsBytes bool // of gRPC: the body need not be UTF-8
	// Reroute lets the route be chosen by what the verdict has made of the request
	// (clearRouteCache).
	Reroute bool
}

// Check is the question to an external authorizer.
type Check struct {
	Method, Host, Target string
	Header               header.Fields
	// Body is filled by the World where the provider wants it.
	Body []byte
	// Request is the request itself, and Identity who its listener is to others:
	// gRPC checks tell of them.
	Request  *match.Request
	Identity string
}

// Verdict is the answer of an external authorizer.
type Verdict struct {
	// Err says that there is no verdict: no connection, no answer in time, a 5xx.
	// It is ErrBodyTooLarge for a body that may not be cut and is over Provider.Body.
	Err     error
	Allowed bool
	// Status, Header and Body are the client's answer to what is not allowed.
	Status int
	Header header.Fields
	Body   string
	// Set, Add, Append and Remove edit a request that is allowed: replace a field, add
	// a line, add to a field that is there with a comma. AnswerSet and AnswerAdd do so
	// with its answer.
	Set, Add, Append     header.Fields
	Remove               []string
	AnswerSet, AnswerAdd header.Fields
	// Why tells people what the verdict rests on; "" for an authorizer that was asked.
	Why string
}

// ErrBodyTooLarge refuses a body that a check cannot carry.
var ErrBodyTooLarge = errors.New("the body is larger than a check may be")

// Authorizer asks external authorizers. It is a part of World.
type Authorizer interface {
	// Ask sends a check and waits for the verdict, no longer than p.Timeout.
	Ask(p *Provider, c *Check) Verdict
}

// External asks an authorizer about the requests that CUSTOM policies name. It is
// the first guard of a listener: what the authorizer writes into a request is there
// for tokens and policies.
type External struct {
	When     PolicySet // the CUSTOM policies
	Provider *Provider // nil where it is Broken, or all policies are dry-run
	// Broken says why nobody can be asked: what the policies name is then denied
	// (Istio, getBadCustomDenyRules).
	Broken string
}

func (g *External) check(w *walk) bool {
	rule := w.policy("CUSTOM", &g.When)
	if rule == nil {
		return false
	}
	stop := false
	switch p := g.Provider; {
	case g.Broken != "":
		w.deny(rule.name() + " cannot ask anybody: " + g.Broken)
		stop = true
	case !w.routed(): // Envoy asks nobody about what has no route
	case p.Body > 0 && !p.PartialBody && w.req.ContentLength > int64(p.Body):
		stop = w.obey(p, &Verdict{Err: ErrBodyTooLarge})
	default:
		v := w.world.Ask(p, p.question(w))
		stop = w.obey(p, &v)
	}
	if stop {
		w.out.By = rule.Origin
	}
	return stop
}

// String tells who is asked.
func (g *External) String() string {
	switch {
	case g.Broken != "":
		return "CUSTOM policies: " + g.Broken
	case g.Provider == nil:
		return "CUSTOM policies: all dry-run"
	}
	return "CUSTOM policies of provider " + g.Provider.Name
}

// question makes the check for the request as it is now: its normal path, its
// Host, and of its fields those that the provider wants (Envoy, check_request_utils
// and ext_authz_http_impl).
func (p *Provider) question(w *walk) *Check {
	r := w.req
	c := &Check{Method: r.Method, Host: r.Host, Target: p.PathPrefix + r.Target, Request: r, Identity: w.hop.Listener.Identity}
	if p.GRPC {
		c.Target = r.Target
	}
	for _, f := range r.Header {
		if f.Name == partialBody || !p.sends(f.Name) {
			continue
		}
		if before, repeated := c.Header.Get(f.Name); repeated {
			sep := ","
			if f.Name == "cookie" {
				sep = "; "
			}
			c.Header.Set(f.Name, before+sep+f.Value)
		} else {
			c.Header.Add(f.Name, f.Value)
		}
	}
	for _, f := range p.AddHeaders {
		c.Header.Set(f.Name, f.Value)
	}
	return c
}

// partialBody is the field in which Envoy tells an authorizer whether the body is cut.
const partialBody = "x-envoy-auth-partial-body"

// sends tells whether a check carries the field.
func (p *Provider) sends(name string) bool {
	return p.GRPC || name == "authorization" || listed(p.SendHeaders, name)
}

// CarryBody makes body, of which the first p.Body bytes are sent, the check's.
func (c *Check) CarryBody(p *Provider, body []byte, whole bool) {
	c.Body = body[:min(len(body), p.Body)]
	c.Header.Set(partialBody, strconv.FormatBool(!whole || len(body) > p.Body))
}

// listed tells whether some text of the list fits name.
func listed(list []match.Text, name string) bool {
	for i := range list {
		if list[i].Match(name, true) {
			return true
		}
	}
	return false
}

// obey carries a verdict out, and tells whether it has answered.
func (w *walk) obey(p *Provider, v *Verdict) bool {
	switch {
	case errors.Is(v.Err, ErrBodyTooLarge):
		w.told(p, false, v.Err.Error())
		w.reply(Reply{Status: 413, Body: "Payload Too Large", Reason: v.Err.Error()})
		return true
	case v.Err != nil && p.FailOpen:
		w.told(p, true, "no verdict, let through (failOpen): "+v.Err.Error())
		return false
	case v.Err != nil:
		w.told(p, false, "no verdict: "+v.Err.Error())
		w.out.Unauthorized = true
		w.reply(Reply{Status: p.StatusOnError, Reason: p.Name + " gives no verdict: " + v.Err.Error()})
		return true
	case !v.Allowed:
		w.told(p, false, "refused with "+strconv.Itoa(v.Status)+v.because())
		w.out.Unauthorized = true
		w.reply(Reply{Status: v.Status, Header: v.Header, Body: v.Body, Reason: "refused by " + p.Name + v.because()})
		return true
	}
	w.told(p, true, v.describe())
	v.edit(&w.req.Header)
	w.hop.allowed = v
	if p.Reroute && len(v.Set)+len(v.Add)+len(v.Append)+len(v.Remove) > 0 {
		w.way = way{}
	}
	return false
}

func (w *walk) told(p *Provider, ok bool, why string) {
	if w.tr != nil {
		w.tr.add("verdict", p.Name, p.Origin, ok, why)
	}
}

// describe tells which fields an allowed request gets; their values may be secret.
func (v *Verdict) describe() string {
	var names []string
	for _, fields := range []header.Fields{v.Set, v.Add, v.Append} {
		for _, f := range fields {
			names = append(names, f.Name)
		}
	}
	if len(names) == 0 {
		return "allowed" + v.because()
	}
	return "allowed, and sets " + strings.Join(names, ", ") + v.because()
}

func (v *Verdict) because() string {
	if v.Why == "" {
		return ""
	}
	return ": " + v.Why
}
