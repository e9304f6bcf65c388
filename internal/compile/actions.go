package compile

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	networkingv1alpha3 "istio.io/api/networking/v1alpha3"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// buildAction makes the rule's action as far as it is the same for all conditions.
func (b *routeBuilder) buildAction() {
	switch r := b.rule; {
	case r.Redirect != nil:
		b.action = b.redirect(r.Redirect)
	case r.DirectResponse != nil:
		b.action = b.direct(r.DirectResponse)
	case len(r.Route) > 0:
		b.forward = b.forwarding()
		b.action = b.forward
	}
}

// actionFor is the action under a condition: rewrites depend on the path condition.
func (b *routeBuilder) actionFor(u *match.Rule) plan.Action {
	if b.forward != nil && b.rule.Rewrite != nil {
		f := *b.forward
		if f.Rewrite == nil {
			f.Rewrite = rewrite(u, b.rule.Rewrite.Uri)
		}
		return &f
	}
	if d, ok := b.action.(*plan.Redirect); ok && b.rule.Redirect.PrefixRewrite != "" {
		copied := *d
		copied.Rewrite = rewrite(u, b.rule.Redirect.PrefixRewrite)
		return &copied
	}
	return b.action
}

// rewrite replaces what the path condition has matched: a prefix, or the whole
// path (Envoy, prefix_rewrite). Without a path condition the prefix is "/".
func rewrite(u *match.Rule, with string) *plan.Rewrite {
	switch {
	case with == "":
		return nil
	case u.Path.Op == match.Prefix:
		return &plan.Rewrite{Prefix: u.Path.Value, With: with}
	}
	return &plan.Rewrite{Whole: true, With: with}
}

// forwarding makes the part of a rule with destinations.
func (b *routeBuilder) forwarding() *plan.Forward {
	r := b.rule
	f := &plan.Forward{To: make([]plan.Destination, 0, len(r.Route)), Limits: plan.Limits{Total: r.Timeout.AsDuration()}}
	b.duration(r.Timeout, ".timeout")
	f.Host = b.authority(r.Headers)
	if r.Rewrite != nil {
		f.Host = or(r.Rewrite.Authority, f.Host)
		b.place(r.Rewrite.Authority, ".rewrite.authority")
		b.place(r.Rewrite.Uri, ".rewrite.uri")
		if x := r.Rewrite.UriRegexRewrite; x != nil {
			f.Rewrite = b.regexRewrite(x)
		}
	}
	weight := int64(0)
	for i, d := range r.Route {
		f.To = append(f.To, b.to(d, i))
		weight += int64(d.GetWeight())
	}
	if len(r.Route) > 1 && weight == 0 {
		b.refuse(".route", "no destination has a weight", "give the destinations weights that add up to 100")
	}
	f.Retry = b.retry(f)
	return f
}

// duration reports a limit that clusters take no object for: they want 1ms or more, in
// whole milliseconds (Istio, ValidateDuration). None at all is done as Envoy would, which
// sets no limit; a negative one is none that could be meant.
func (b *routeBuilder) duration(in *durationpb.Duration, field string) {
	const remedy = "write a duration such as 10s, or leave it out for no limit"
	switch d := in.AsDuration(); {
	case in == nil:
	case d < 0:
		b.refuse(field, "the limit "+d.String()+" is negative", remedy)
	case d < time.Millisecond:
		b.warn(problem.Schema, field, "clusters do not take "+d.String()+", but 1ms or more; here it sets no limit", remedy)
	case d%time.Millisecond != 0:
		b.warn(problem.Schema, field, "clusters take no parts of milliseconds, as "+d.String()+" has", remedy)
	}
}

// place refuses a rule that would write blanks or control characters into a
// request line, Host or Location.
func (b *routeBuilder) place(s, field string) {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		b.refuse(field, "the value has a blank or control character", "write blanks as %20")
	}
}

// to makes one destination.
func (b *routeBuilder) to(d *networkingv1alpha3.HTTPRouteDestination, i int) plan.Destination {
	r := b.rule
	field := r.field + b.c.routeField(i)
	origin := plan.Origin{Ref: r.owner.item.Ref, Origin: r.owner.item.Origin, Field: field}
	t := plan.Destination{Origin: origin, Weight: uint32(max(d.GetWeight(), 0))}
	if d.GetDestination().GetHost() == "" {
		b.refuse(b.c.routeField(i)+".destination.host", "the destination has no host", "name a Service")
		return t
	}
	if d.Weight < 0 {
		b.refuse(b.c.routeField(i)+".weight", "the weight is negative", "write a weight from 0 on")
	}
	t.Backend = b.c.destination(d.Destination, r.owner.namespace(), b.at, origin, ".destination")
	t.Host = b.authority(d.Headers)
	if len(r.Route) > 1 {
		// A lone destination's edits are part of the route's.
		t.Headers = b.edits(d.Headers, b.c.routeField(i)+".headers")
	}
	return t
}

func (c *compiler) routeField(i int) string {
	for len(c.routeFields) <= i {
		c.routeFields = append(c.routeFields, ".route["+strconv.Itoa(len(c.routeFields))+"]")
	}
	return c.routeFields[i]
}

// regexRewrite replaces every hit in the path; \1 in the replacement is a group.
func (b *routeBuilder) regexRewrite(x *networkingv1alpha3.RegexRewrite) *plan.Rewrite {
	re, err := regexp.Compile(x.Match)
	if err != nil {
		b.refuse(".rewrite.uriRegexRewrite.match", "the regex "+strconv.Quote(x.Match)+" is no RE2 expression: "+err.Error(), "correct the expression")
		return nil
	}
	with, ok := goTemplate(x.Rewrite, re.NumSubexp())
	if !ok {
		b.refuse(".rewrite.uriRegexRewrite.rewrite", "the replacement "+strconv.Quote(x.Rewrite)+" names a group that the regex does not have",
			`use \0 to \`+strconv.Itoa(re.NumSubexp()))
	}
	return &plan.Rewrite{Regex: re, With: with}
}

// goTemplate writes RE2's replacement (\1 is a group, \\ a backslash) as Go's.
func goTemplate(s string, groups int) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '$':
			b.WriteString("$$")
		case s[i] != '\\':
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == '\\':
			b.WriteByte('\\')
			i++
		case i+1 < len(s) && '0' <= s[i+1] && s[i+1] <= '9':
			if int(s[i+1]-'0') > groups {
				return "", false
			}
			b.WriteString("${" + s[i+1:i+2] + "}")
			i++
		default:
			return "", false
		}
	}
	return b.String(), true
}

// redirect makes a redirect (Istio, ApplyRedirect).
func (b *routeBuilder) redirect(in *networkingv1alpha3.HTTPRedirect) *plan.Redirect {
	b.place(in.Scheme, ".redirect.scheme")
	b.place(in.Authority, ".redirect.authority")
	b.place(in.Uri, ".redirect.uri")
	b.place(in.PrefixRewrite, ".redirect.prefixRewrite")
	d := &plan.Redirect{Code: int(in.RedirectCode), Scheme: in.Scheme, Host: in.Authority, Path: in.Uri}
	switch d.Code {
	case 0:
		d.Code = 301
	case 301, 302, 303, 307, 308:
	default:
		b.refuse(".redirect.redirectCode", "redirectCode "+strconv.Itoa(d.Code)+" is not possible", "use 301, 302, 303, 307 or 308")
	}
	var port uint32
	switch p := in.RedirectPort.(type) {
	case *networkingv1alpha3.HTTPRedirect_Port:
		port = p.Port
	case *networkingv1alpha3.HTTPRedirect_DerivePort:
		if p.DerivePort == networkingv1alpha3.HTTPRedirect_FROM_REQUEST_PORT {
			port = b.at.port
		}
	}
	scheme := in.Scheme
	if scheme == "" && b.at.tls {
		scheme = "https"
	}
	if !(port == 0 || port == 80 && scheme != "https" || port == 443 && scheme == "https") {
		d.Port = strconv.FormatUint(uint64(port), 10)
	}
	return d
}

// direct makes an answer of the gateway's own.
func (b *routeBuilder) direct(in *networkingv1alpha3.HTTPDirectResponse) *plan.Direct {
	d := &plan.Direct{Status: int(in.Status), Reason: "directResponse of the route"}
	if in.Status < 200 || in.Status > 599 {
		b.refuse(".directResponse.status", "status "+strconv.FormatUint(uint64(in.Status), 10)+" is no status of an answer", "use a status from 200 to 599")
	}
	switch body := in.GetBody().GetSpecifier().(type) {
	case *networkingv1alpha3.HTTPBody_String_:
		d.Body = body.String_
	case *networkingv1alpha3.HTTPBody_Bytes:
		d.Body = string(body.Bytes)
	}
	return d
}

// retry makes the rule's retries: its own, the mesh's, or Istio's default (Istio,
// retry.ConvertPolicy).
func (b *routeBuilder) retry(f *plan.Forward) plan.Retry {
	const defaults = plan.OnConnectFailure | plan.OnRefusedStream | plan.OnGRPCUnavailable | plan.OnGRPCCancelled | plan.OnRetriableStatus
	// Envoy's base interval where none is set.
	r := plan.Retry{Attempts: 2, On: defaults, Backoff: 25 * time.Millisecond}
	hashed := len(f.To) == 1 && f.To[0].Backend != nil && f.To[0].Backend.Balance == plan.BalanceHash
	r.SameEndpoint = hashed
	in := b.rule.Retries
	if in == nil {
		in = b.c.mesh.retry
	}
	if in == nil {
		return r
	}
	if in.Attempts <= 0 {
		if in.Attempts < 0 {
			b.refuse(".retries.attempts", "attempts is negative", "write 0 for no retries")
		}
		return plan.Retry{}
	}
	r.Attempts, r.PerTry = int(in.Attempts), in.PerTryTimeout.AsDuration()
	if in == b.rule.Retries {
		b.duration(in.PerTryTimeout, ".retries.perTryTimeout")
	}
	if in.RetryOn != "" {
		r.On, r.Codes = b.retryOn(in.RetryOn)
	}
	if v := in.RetryIgnorePreviousHosts; v != nil {
		r.SameEndpoint = !v.GetValue()
	}
	if in.Backoff != nil {
		r.Backoff = in.Backoff.AsDuration()
	}
	return r
}

// retryOn reads retries.retryOn: names of conditions and status codes, joined by ",".
func (b *routeBuilder) retryOn(s string) (on plan.RetryOn, codes []int) {
	names := retryNames()
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if code, err := strconv.Atoi(part); err == nil && 100 <= code && code <= 599 {
			on |= plan.OnRetriableStatus
			codes = append(codes, code)
			continue
		}
		bit, ok := names[part]
		switch {
		case !ok:
			have := slices.Sorted(maps.Keys(names))
			b.warn(problem.Schema, ".retries.retryOn", "there is no condition "+strconv.Quote(part)+nearest(part, have)+"; it is left out", "use one of "+strings.Join(have, ", ")+", or a status code")
		case bit == 0:
			b.warn(problem.NotCarriedOut, ".retries.retryOn", "the condition "+part+" is not carried out", "remove it")
		}
		on |= bit
	}
	return on, codes
}

// retryNames are Envoy's names of the conditions; 0 is not carried out.
func retryNames() map[string]plan.RetryOn {
	return map[string]plan.RetryOn{
		"connect-failure": plan.OnConnectFailure, "refused-stream": plan.OnRefusedStream,
		"reset": plan.OnReset, "reset-before-request": plan.OnResetBeforeRequest,
		"5xx": plan.On5xx, "gateway-error": plan.OnGatewayError,
		"retriable-4xx": plan.OnRetriable4xx, "retriable-status-codes": plan.OnRetriableStatus,
		"envoy-ratelimited": plan.OnEnvoyRateLimited, "cancelled": plan.OnGRPCCancelled,
		"unavailable": plan.OnGRPCUnavailable, "deadline-exceeded": plan.OnGRPCDeadline,
		"internal": plan.OnGRPCInternal, "resource-exhausted": plan.OnGRPCExhausted,
		"retriable-headers": 0, "http3-post-connect-failure": 0,
	}
}

// share turns a percentage into Envoy's millionths, as a number from 0 to 1.
func share(percent float64) float64 {
	return math.Trunc(min(max(percent, 0), 100)*10000) / 1e6
}

func seconds(d *durationpb.Duration) string {
	if d == nil {
		return ""
	}
	return strconv.FormatInt(d.GetSeconds(), 10)
}

func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}
