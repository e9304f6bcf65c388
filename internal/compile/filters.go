package compile

import (
	"strconv"
	"strings"

	networkingv1alpha3 "istio.io/api/networking/v1alpha3"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// buildFilters makes the rule's filters in Envoy's order: faults before CORS,
// then header edits, then mirrors.
func (b *routeBuilder) buildFilters() {
	r := b.rule
	if f := b.fault(r.Fault); f != nil {
		b.filters = append(b.filters, f)
	}
	if r.CorsPolicy != nil && len(r.Route) > 0 { // Envoy's filter passes over redirects and direct answers
		b.filters = append(b.filters, b.cors(r.CorsPolicy))
	}
	h := b.edits(r.Headers, ".headers")
	if len(r.Route) == 1 {
		h = joinEdits(h, b.edits(r.Route[0].GetHeaders(), b.c.routeField(0)+".headers"))
	}
	if h != nil {
		b.filters = append(b.filters, &plan.HeaderRoute{Headers: *h})
	}
	if r.Mirror != nil {
		b.mirror(r.Mirror, mirrorShare(r.HTTPRoute), ".mirror", "")
	}
	for i, m := range r.Mirrors {
		percent := 100.0
		if m.GetPercentage() != nil {
			percent = m.Percentage.Value
		}
		b.mirror(m.GetDestination(), share(percent), ".mirrors["+strconv.Itoa(i)+"]", ".destination")
	}
}

// mirrorShare is mirrorPercentage, or the older mirrorPercent; without either
// all requests are mirrored.
func mirrorShare(r *networkingv1alpha3.HTTPRoute) float64 {
	switch {
	case r.MirrorPercentage != nil:
		return share(r.MirrorPercentage.Value)
	case r.MirrorPercent != nil: //nolint:staticcheck // deprecated, still read
		return share(float64(r.MirrorPercent.GetValue())) //nolint:staticcheck
	}
	return 1
}

// mirror adds a mirror; one that does not exist is harmless.
func (b *routeBuilder) mirror(d *networkingv1alpha3.Destination, part float64, field, destination string) {
	if d.GetHost() == "" || part <= 0 {
		return
	}
	origin := plan.Origin{Ref: b.rule.owner.item.Ref, Origin: b.rule.owner.item.Origin, Field: b.rule.field + field}
	if backend := b.c.destination(d, b.rule.mirrors.namespace(), b.at, origin, destination); backend.Missing == "" {
		b.filters = append(b.filters, &plan.Mirror{Backend: backend, Share: part, Origin: origin})
	}
}

// fault makes a fault injection; nil if it never fires (Istio, TranslateFault).
func (b *routeBuilder) fault(in *networkingv1alpha3.HTTPFaultInjection) *plan.Fault {
	f := &plan.Fault{}
	if d := in.GetDelay(); d != nil {
		percent := float64(d.Percent) //nolint:staticcheck // deprecated, still read
		if d.Percentage != nil {
			percent = d.Percentage.Value
		}
		if fixed, ok := d.HttpDelayType.(*networkingv1alpha3.HTTPFaultInjection_Delay_FixedDelay); ok {
			f.Delay, f.DelayShare = fixed.FixedDelay.AsDuration(), share(percent)
		} else {
			b.warn(problem.NotCarriedOut, ".fault.delay", "a delay that is not fixed is not carried out", "use fixedDelay")
		}
		if f.Delay < 0 {
			b.refuse(".fault.delay.fixedDelay", "the delay is negative", "write a positive duration such as 5s")
		}
	}
	if a := in.GetAbort(); a != nil {
		f.AbortShare = share(a.GetPercentage().GetValue())
		switch e := a.ErrorType.(type) {
		case *networkingv1alpha3.HTTPFaultInjection_Abort_HttpStatus:
			f.Abort = int(e.HttpStatus)
			if f.Abort < 200 || f.Abort > 599 {
				b.refuse(".fault.abort.httpStatus", "status "+strconv.Itoa(f.Abort)+" is no status of an answer", "use a status from 200 to 599")
			}
		case *networkingv1alpha3.HTTPFaultInjection_Abort_GrpcStatus:
			code, ok := grpcCode(e.GrpcStatus)
			if !ok {
				b.refuse(".fault.abort.grpcStatus", "there is no gRPC status "+strconv.Quote(e.GrpcStatus), "use a name such as UNAVAILABLE")
			}
			f.IsGRPC, f.AbortGRPC = true, code
		default:
			f.AbortShare = 0
			b.warn(problem.NotCarriedOut, ".fault.abort", "the abort names neither httpStatus nor grpcStatus", "use httpStatus")
		}
	}
	if f.DelayShare == 0 && f.AbortShare == 0 {
		return nil
	}
	return f
}

// grpcCode is the number of a gRPC status by its name.
func grpcCode(status string) (int, bool) {
	for i, n := range [...]string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
		"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL",
		"UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"} {
		if n == status {
			return i, true
		}
	}
	return 0, false
}

// cors makes a CORS policy (Istio, TranslateCORSPolicy).
func (b *routeBuilder) cors(in *networkingv1alpha3.CorsPolicy) *plan.CORS {
	p := &plan.CORS{
		Methods: strings.Join(in.AllowMethods, ","), AllowHeaders: strings.Join(in.AllowHeaders, ","),
		ExposeHeaders: strings.Join(in.ExposeHeaders, ","), MaxAge: seconds(in.MaxAge),
		IgnoreUnmatched: in.UnmatchedPreflights == networkingv1alpha3.CorsPolicy_IGNORE,
	}
	if in.AllowCredentials.GetValue() {
		p.Credentials = "true"
	}
	for i, o := range in.AllowOrigins {
		p.Origins = append(p.Origins, b.text(o, ".corsPolicy.allowOrigins["+strconv.Itoa(i)+"]"))
	}
	if in.AllowOrigins == nil {
		for _, o := range in.AllowOrigin { //nolint:staticcheck // deprecated, still read
			p.Origins = append(p.Origins, match.Text{Op: match.Exact, Value: o})
		}
	}
	return p
}

// edits makes header edits; nil for none. The Host header is not edited but
// rewritten (authority), and pseudo headers not at all.
func (b *routeBuilder) edits(in *networkingv1alpha3.Headers, field string) *plan.Headers {
	if in == nil {
		return nil
	}
	h := &plan.Headers{
		Request:  b.messageEdits(in.Request, field+".request"),
		Response: b.messageEdits(in.Response, field+".response"),
	}
	if h.Request.Empty() && h.Response.Empty() {
		return nil
	}
	return h
}

func (b *routeBuilder) messageEdits(in *networkingv1alpha3.Headers_HeaderOperations, field string) plan.HeaderEdits {
	var e plan.HeaderEdits
	for _, n := range in.GetRemove() {
		if n = strings.ToLower(n); !kept(n) && b.fieldName(n, field+".remove") {
			e.Remove = append(e.Remove, n)
		}
	}
	e.Set = b.values(in.GetSet(), field+".set.")
	e.Add = b.values(in.GetAdd(), field+".add.")
	return e
}

// values are headers with their values, by name: in Envoy's format strings "%" is
// doubled and %REQ(x)% and its kin expand.
func (b *routeBuilder) values(in map[string]string, field string) []plan.HeaderValue {
	var values []plan.HeaderValue
	for _, k := range sortedKeys(in) {
		n := strings.ToLower(k)
		if kept(n) || !b.fieldName(n, field+k) {
			continue
		}
		if !b.printable(in[k], field+k) {
			continue
		}
		v, err := plan.ParseValue(in[k])
		if err != nil {
			b.refuse(field+k, "the value is no format string: "+err.Error(), "write %% for a percent sign")
			continue
		}
		values = append(values, plan.HeaderValue{Name: n, Value: v})
	}
	return values
}

// fieldName refuses a rule whose header would not be one (RFC 9110, section 5.1).
func (b *routeBuilder) fieldName(n, field string) bool {
	ok := n != "" && !strings.ContainsFunc(n, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
	if !ok {
		b.refuse(field, strconv.Quote(n)+" is no name of a header", "use letters, digits and hyphens")
	}
	return ok
}

// printable refuses a rule that would write control characters into a message.
func (b *routeBuilder) printable(s, field string) bool {
	ok := !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
	if !ok {
		b.refuse(field, "the value has a control character", "remove line ends and other control characters")
	}
	return ok
}

// kept tells a header that edits do not touch: the Host header and pseudo headers.
func kept(name string) bool { return name == "host" || strings.HasPrefix(name, ":") }

// authority is what header edits write over the Host header; "" keeps it.
func (b *routeBuilder) authority(in *networkingv1alpha3.Headers) string {
	for _, m := range [...]map[string]string{in.GetRequest().GetSet(), in.GetRequest().GetAdd()} {
		for _, k := range sortedKeys(m) {
			if n := strings.ToLower(k); n == "host" || n == ":authority" {
				b.place(m[k], ".headers.request")
				return m[k]
			}
		}
	}
	return ""
}

// joinEdits makes one edit of a route's and its lone destination's: Envoy removes
// for both, then sets for both, then adds (header_parser).
func joinEdits(route, to *plan.Headers) *plan.Headers {
	if route == nil || to == nil {
		return first(route, to)
	}
	return &plan.Headers{Request: joinMessage(route.Request, to.Request), Response: joinMessage(route.Response, to.Response)}
}

func joinMessage(a, b plan.HeaderEdits) plan.HeaderEdits {
	return plan.HeaderEdits{Remove: append(a.Remove, b.Remove...), Set: append(a.Set, b.Set...), Add: append(a.Add, b.Add...)}
}
