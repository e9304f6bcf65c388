package compile

import (
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	meshv1alpha1 "istio.io/api/mesh/v1alpha1"
	networkingv1alpha3 "istio.io/api/networking/v1alpha3"
	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// policySettings are the parts of a trafficPolicy that hold for one port and subset.
type policySettings struct {
	balance *networkingv1alpha3.LoadBalancerSettings
	pool    *networkingv1alpha3.ConnectionPoolSettings
	outlier *networkingv1alpha3.OutlierDetection
	tls     *networkingv1alpha3.ClientTLSSettings
	tlsAt   plan.Origin
}

// settingsOf reads a policy for a port. The port's own settings stand alone: what
// they leave out is at its default, not as the policy has it.
func settingsOf(p *networkingv1alpha3.TrafficPolicy, at plan.Origin, port uint32) (s policySettings, portLevel bool) {
	for i, own := range p.GetPortLevelSettings() {
		if own.GetPort() != nil && own.Port.Number == port {
			s = policySettings{own.LoadBalancer, own.ConnectionPool, own.OutlierDetection, own.Tls, at}
			s.tlsAt.Field += ".portLevelSettings[" + strconv.Itoa(i) + "].tls"
			return s, true
		}
	}
	s = policySettings{p.GetLoadBalancer(), p.GetConnectionPool(), p.GetOutlierDetection(), p.GetTls(), at}
	s.tlsAt.Field += ".tls"
	return s, false
}

// settings merges what holds for a port of a subset (nil: none): the subset's over
// the rule's over the mesh's defaults (Istio, MergeSubsetTrafficPolicy).
func (r *mergedRule) settings(sub *subsetRule, port uint32, mesh *meshv1alpha1.MeshConfig) policySettings {
	var s policySettings
	if r != nil {
		s, _ = settingsOf(r.policy, r.at, port)
	}
	if s.pool == nil {
		s.pool = mesh.GetDefaultTrafficPolicy().GetConnectionPool()
	}
	if s.outlier == nil {
		s.outlier = mesh.GetDefaultTrafficPolicy().GetOutlierDetection()
	}
	if sub == nil || sub.TrafficPolicy == nil {
		return s
	}
	at := sub.at
	at.Field += ".trafficPolicy"
	own, all := settingsOf(sub.TrafficPolicy, at, port)
	if own.balance != nil || all {
		s.balance = own.balance
	}
	if own.pool != nil || all {
		s.pool = own.pool
	}
	if own.outlier != nil || all {
		s.outlier = own.outlier
	}
	if own.tls != nil || all {
		s.tls, s.tlsAt = own.tls, own.tlsAt
	}
	return s
}

// apply puts everything but TLS into a backend.
func (s policySettings) apply(b *plan.Backend, declared protocol, mesh *meshv1alpha1.MeshConfig) {
	b.Protocol = s.protocol(declared, mesh)
	b.Balance, b.Hash = s.balancing()
	b.Pool = s.connections(mesh)
	b.Outlier = s.ejection()
	if s.balance.GetSimple() == networkingv1alpha3.LoadBalancerSettings_PASSTHROUGH {
		b.Endpoints, b.Next = nil, nil // a gateway knows no original destination
	}
}

// protocol is what the upstream is spoken to in (Istio, shouldH2Upgrade).
func (s policySettings) protocol(declared protocol, mesh *meshv1alpha1.MeshConfig) plan.Protocol {
	http := s.pool.GetHttp()
	switch {
	case http.GetUseClientProtocol():
		return plan.SameAsClient
	case http.GetH2UpgradePolicy() == networkingv1alpha3.ConnectionPoolSettings_HTTPSettings_UPGRADE:
		return plan.HTTP2
	case http.GetH2UpgradePolicy() == networkingv1alpha3.ConnectionPoolSettings_HTTPSettings_DEFAULT &&
		mesh.GetH2UpgradePolicy() == meshv1alpha1.MeshConfig_UPGRADE && declared.isHTTP():
		return plan.HTTP2
	}
	return declared.spoken()
}

func (s policySettings) balancing() (plan.Balance, *plan.Hash) {
	if h := s.balance.GetConsistentHash(); h != nil {
		return plan.BalanceHash, hashOf(h)
	}
	switch s.balance.GetSimple() {
	case networkingv1alpha3.LoadBalancerSettings_ROUND_ROBIN:
		return plan.RoundRobin, nil
	case networkingv1alpha3.LoadBalancerSettings_RANDOM:
		return plan.Random, nil
	}
	return plan.LeastRequest, nil
}

// maglevSize is the size of a Maglev table that names none.
const maglevSize = 65537

func hashOf(in *networkingv1alpha3.LoadBalancerSettings_ConsistentHashLB) *plan.Hash {
	h := &plan.Hash{
		Header: strings.ToLower(in.GetHttpHeaderName()), SourceIP: in.GetUseSourceIp(), Query: in.GetHttpQueryParameterName(),
		Ring: bounded(in.MinimumRingSize), //nolint:staticcheck // deprecated, still read
	}
	if r := in.GetRingHash(); r != nil {
		h.Ring = bounded(r.MinimumRingSize)
	}
	if m := in.GetMaglev(); m != nil {
		h.Ring, h.Maglev = 0, maglevSize
		if m.TableSize != 0 {
			h.Maglev = bounded(m.TableSize)
		}
	}
	if k := in.GetHttpCookie(); k != nil {
		h.Cookie, h.Path, h.Generate, h.TTL = k.Name, k.Path, k.Ttl != nil, k.GetTtl().AsDuration()
		for _, a := range k.GetAttributes() {
			text := a.GetName()
			if a.GetValue() != "" {
				text += "=" + a.GetValue()
			}
			h.Attributes = append(h.Attributes, text)
		}
		if badCookie(k) != "" {
			h.Generate = false
		}
	}
	return h
}

// badCookie names what of a cookie cannot be written into a header, or "".
func badCookie(k *networkingv1alpha3.LoadBalancerSettings_ConsistentHashLB_HTTPCookie) string {
	bad := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == ';' || r == ',' })
	}
	switch {
	case k.Name == "" || bad(k.Name) || strings.ContainsAny(k.Name, `= "`):
		return "name"
	case bad(k.Path):
		return "path"
	}
	for i, a := range k.GetAttributes() {
		if a.GetName() == "" || bad(a.GetName()) || bad(a.GetValue()) {
			return "attributes[" + strconv.Itoa(i) + "]"
		}
	}
	return ""
}

func bounded(n uint64) int { return int(min(n, math.MaxInt32)) }

// Istio's defaults for connections to a backend.
const (
	connectTimeout = 10 * time.Second
	idleTimeout    = time.Hour
	never          = 10 * 365 * 24 * time.Hour // for a limit that 0s switches off
)

// connections reads connectionPool. Istio takes numbers of 0 for left out.
func (s policySettings) connections(mesh *meshv1alpha1.MeshConfig) plan.Pool {
	tcp, http := s.pool.GetTcp(), s.pool.GetHttp()
	p := plan.Pool{
		MaxConnections:   int(max(tcp.GetMaxConnections(), 0)),
		MaxPending:       int(max(http.GetHttp1MaxPendingRequests(), 0)),
		MaxRequests:      int(max(http.GetHttp2MaxRequests(), 0)),
		PerConnection:    int(max(http.GetMaxRequestsPerConnection(), 0)),
		MaxRetries:       int(max(http.GetMaxRetries(), 0)),
		MaxConnectionAge: max(tcp.GetMaxConnectionDuration().AsDuration(), 0),
		KeepAlive:        keepAlive(mesh.GetTcpKeepalive(), tcp.GetTcpKeepalive()),
		ConnectTimeout:   connectTimeout,
		IdleTimeout:      idleTimeout,
	}
	for _, d := range [...]*durationpb.Duration{tcp.GetConnectTimeout(), mesh.GetConnectTimeout()} {
		if d.AsDuration() > 0 {
			p.ConnectTimeout = d.AsDuration()
			break
		}
	}
	for _, d := range [...]*durationpb.Duration{http.GetIdleTimeout(), tcp.GetIdleTimeout()} {
		if d == nil {
			continue
		}
		if p.IdleTimeout = d.AsDuration(); p.IdleTimeout <= 0 {
			p.IdleTimeout = never
		}
		break
	}
	return p
}

// keepAlive joins TCP keep-alive settings, the later ones over the earlier ones.
func keepAlive(levels ...*networkingv1alpha3.ConnectionPoolSettings_TCPSettings_TcpKeepalive) *plan.KeepAlive {
	var k *plan.KeepAlive
	for _, l := range levels {
		if l == nil {
			continue
		}
		if k == nil {
			k = &plan.KeepAlive{}
		}
		if l.Probes > 0 {
			k.Probes = bounded(uint64(l.Probes))
		}
		if l.Time != nil {
			k.Time = l.Time.AsDuration()
		}
		if l.Interval != nil {
			k.Interval = l.Interval.AsDuration()
		}
	}
	return k
}

// ejection reads outlierDetection; nil is off. Gateway errors count only where
// their number is given, other errors unless it is 0.
func (s policySettings) ejection() *plan.Outlier {
	in := s.outlier
	if in == nil {
		return nil
	}
	o := &plan.Outlier{
		Consecutive5xx: 5, Interval: 10 * time.Second, BaseEjection: 30 * time.Second, MaxEjectionPercent: 10,
		SplitLocal: in.SplitExternalLocalOriginErrors, MinHealthPercent: int(max(in.MinHealthPercent, 0)),
	}
	if n := in.Consecutive_5XxErrors; n != nil {
		o.Consecutive5xx = bounded(uint64(n.Value))
	}
	if n := in.ConsecutiveGatewayErrors; n != nil {
		o.ConsecutiveGateway = bounded(uint64(n.Value))
	}
	if o.SplitLocal {
		o.ConsecutiveLocal = 5
		if n := in.ConsecutiveLocalOriginFailures.GetValue(); n > 0 {
			o.ConsecutiveLocal = bounded(uint64(n))
		}
	}
	if d := in.Interval.AsDuration(); d > 0 {
		o.Interval = d
	}
	if d := in.BaseEjectionTime.AsDuration(); d > 0 {
		o.BaseEjection = d
	}
	if in.MaxEjectionPercent > 0 {
		o.MaxEjectionPercent = int(min(in.MaxEjectionPercent, 100))
	}
	return o
}

// lintRule reports what of a DestinationRule is not carried out.
func (c *compiler) lintRule(item object.Item[*networkingv1.DestinationRule]) {
	spec := &item.Object.Spec
	if spec.WorkloadSelector != nil {
		c.problem(problem.NotCarriedOut, item.Ref, item.Origin, "spec.workloadSelector", "a DestinationRule with workloadSelector is not carried out: the whole rule is left out",
			"remove workloadSelector, so that the rule holds for every gateway")
		return
	}
	at := plan.Origin{Ref: item.Ref, Origin: item.Origin}
	c.lintPolicy(spec.TrafficPolicy, at, "spec.trafficPolicy")
	for i, s := range spec.Subsets {
		c.lintPolicy(s.GetTrafficPolicy(), at, "spec.subsets["+strconv.Itoa(i)+"].trafficPolicy")
	}
}

func (c *compiler) lintPolicy(p *networkingv1alpha3.TrafficPolicy, at plan.Origin, field string) {
	if p == nil {
		return
	}
	at.Field = field
	s, _ := settingsOf(&networkingv1alpha3.TrafficPolicy{LoadBalancer: p.LoadBalancer, ConnectionPool: p.ConnectionPool, OutlierDetection: p.OutlierDetection}, at, 0)
	c.lintSettings(s, at)
	for i, own := range p.PortLevelSettings {
		at.Field = field + ".portLevelSettings[" + strconv.Itoa(i) + "]"
		c.lintSettings(policySettings{balance: own.GetLoadBalancer(), pool: own.GetConnectionPool(), outlier: own.GetOutlierDetection()}, at)
	}
	at.Field = field
	c.notCarried(at, ".tunnel", p.Tunnel != nil, "tunnels are not carried out; requests go straight to the destination")
	c.notCarried(at, ".proxyProtocol", p.ProxyProtocol != nil, "the PROXY protocol is not spoken to the destination")
	c.notCarried(at, ".retryBudget", p.RetryBudget != nil, "retryBudget is not carried out; connectionPool.http.maxRetries is")
}

func (c *compiler) lintSettings(s policySettings, at plan.Origin) {
	lb, http := s.balance, s.pool.GetHttp()
	if lb.GetSimple() == networkingv1alpha3.LoadBalancerSettings_PASSTHROUGH {
		c.problem(problem.NotCarriedOut, at.Ref, at.Origin, at.Field+".loadBalancer.simple",
			"PASSTHROUGH has no meaning at a gateway, which knows no original destination: requests get 503", "use LEAST_REQUEST, or leave it out")
	}
	if k := lb.GetConsistentHash().GetHttpCookie(); k != nil {
		if bad := badCookie(k); bad != "" {
			c.problem(problem.Schema, at.Ref, at.Origin, at.Field+".loadBalancer.consistentHash.httpCookie."+bad,
				"it cannot be written into a Set-Cookie header; no cookie is set", "use letters, digits and hyphens")
		}
	}
	for field, set := range map[string]bool{"localityLbSetting": lb.GetLocalityLbSetting() != nil, "zoneAwareLbSetting": lb.GetZoneAwareLbSetting() != nil} {
		if set {
			c.problemAs(problem.Info, problem.NotCarriedOut, at.Ref, at.Origin, at.Field+".loadBalancer."+field, "there is one locality on one machine", "nothing is to be done")
		}
	}
	c.notCarried(at, ".loadBalancer.warmup", lb.GetWarmup() != nil, "new endpoints get their full share at once")
	c.notCarried(at, ".loadBalancer.warmupDurationSecs", lb.GetWarmupDurationSecs() != nil, "new endpoints get their full share at once") //nolint:staticcheck // deprecated, still reported
	c.notCarried(at, ".connectionPool.http.maxConcurrentStreams", http.GetMaxConcurrentStreams() != 0, "the destination's own bound of streams counts")
	c.notCarried(at, ".connectionPool.http.http2KeepAlive", http.GetHttp2KeepAlive() != nil, "HTTP/2 pings are sent at their default")
	c.notCarried(at, ".outlierDetection.consecutiveErrors", s.outlier.GetConsecutiveErrors() != 0, "the field has no effect, as in Istio; consecutive5xxErrors has") //nolint:staticcheck // deprecated, still reported
	c.notCarried(at, ".outlierDetection.outlierDetectionHttpErrorCodes", len(s.outlier.GetOutlierDetectionHttpErrorCodes()) > 0, "5xx answers count as errors instead")
}

// notCarried reports a field that is set and not carried out.
func (c *compiler) notCarried(at plan.Origin, field string, set bool, message string) {
	if set {
		c.problem(problem.NotCarriedOut, at.Ref, at.Origin, at.Field+field, message, "remove the field, or do not rely on it here")
	}
}
