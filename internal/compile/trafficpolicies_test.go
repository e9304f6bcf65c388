package compile

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// ruled is the backend of {host: app, subset: v1, port: 80} under one
// DestinationRule, whose spec goes on after its host.
func ruled(t *testing.T, spec string, texts ...string) (*plan.Backend, problem.List) {
	t.Helper()
	if !strings.Contains(spec, "subsets:") {
		spec += "\n  subsets: [{name: v1}]"
	}
	return backendOf(t, "{host: app, subset: v1, port: {number: 80}}", append(texts, ruleYAML("shop/app", "host: app\n  "+spec))...)
}

func TestBalancing(t *testing.T) {
	for _, c := range []struct {
		lb      string
		balance plan.Balance
		hash    *plan.Hash
	}{
		{"{}", plan.LeastRequest, nil},
		{"{simple: LEAST_REQUEST}", plan.LeastRequest, nil},
		{"{simple: LEAST_CONN}", plan.LeastRequest, nil},
		{"{simple: ROUND_ROBIN}", plan.RoundRobin, nil},
		{"{simple: RANDOM}", plan.Random, nil},
		{"{consistentHash: {httpHeaderName: X-User}}", plan.BalanceHash, &plan.Hash{Header: "x-user"}},
		{"{consistentHash: {useSourceIp: true}}", plan.BalanceHash, &plan.Hash{SourceIP: true}},
		{"{consistentHash: {httpQueryParameterName: User}}", plan.BalanceHash, &plan.Hash{Query: "User"}},
		{"{consistentHash: {httpCookie: {name: sid}}}", plan.BalanceHash, &plan.Hash{Cookie: "sid"}},
		{"{consistentHash: {httpCookie: {name: sid, ttl: 0s}}}", plan.BalanceHash, &plan.Hash{Cookie: "sid", Generate: true}},
		{"{consistentHash: {httpCookie: {name: sid, path: /a, ttl: 90s, attributes: [{name: Secure}, {name: SameSite, value: Lax}]}}}", plan.BalanceHash,
			&plan.Hash{Cookie: "sid", Path: "/a", Generate: true, TTL: 90 * time.Second, Attributes: []string{"Secure", "SameSite=Lax"}}},
		{"{consistentHash: {httpHeaderName: a, minimumRingSize: 7}}", plan.BalanceHash, &plan.Hash{Header: "a", Ring: 7}},
		{"{consistentHash: {httpHeaderName: a, ringHash: {minimumRingSize: 8}}}", plan.BalanceHash, &plan.Hash{Header: "a", Ring: 8}},
		{"{consistentHash: {httpHeaderName: a, maglev: {}}}", plan.BalanceHash, &plan.Hash{Header: "a", Maglev: 65537}},
		{"{consistentHash: {httpHeaderName: a, maglev: {tableSize: 251}}}", plan.BalanceHash, &plan.Hash{Header: "a", Maglev: 251}},
	} {
		b, problems := ruled(t, "trafficPolicy: {loadBalancer: "+c.lb+"}")
		if b.Balance != c.balance || !reflect.DeepEqual(b.Hash, c.hash) || len(problems) > 0 {
			t.Errorf("%s: got %v, %+v, %v; want %v, %+v", c.lb, b.Balance, b.Hash, problems, c.balance, c.hash)
		}
	}
}

func TestConnectionPool(t *testing.T) {
	const mesh = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    "
	standard := plan.Pool{ConnectTimeout: 10 * time.Second, IdleTimeout: time.Hour}
	pool := func(change func(*plan.Pool)) plan.Pool {
		p := standard
		change(&p)
		return p
	}
	for _, c := range []struct {
		name, pool, mesh string
		want             plan.Pool
	}{
		{"nothing", "{}", "", standard},
		{"everything", "{tcp: {maxConnections: 1, connectTimeout: 2s, maxConnectionDuration: 3s, idleTimeout: 4s, tcpKeepalive: {probes: 5, time: 6s, interval: 7s}}," +
			" http: {http1MaxPendingRequests: 8, http2MaxRequests: 9, maxRequestsPerConnection: 10, maxRetries: 11, idleTimeout: 12s}}", "", plan.Pool{
			MaxConnections: 1, ConnectTimeout: 2 * time.Second, MaxConnectionAge: 3 * time.Second, KeepAlive: &plan.KeepAlive{Probes: 5, Time: 6 * time.Second, Interval: 7 * time.Second},
			MaxPending: 8, MaxRequests: 9, PerConnection: 10, MaxRetries: 11, IdleTimeout: 12 * time.Second}},
		{"0 is left out", "{tcp: {maxConnections: 0}, http: {http1MaxPendingRequests: 0, http2MaxRequests: 0, maxRequestsPerConnection: 0, maxRetries: 0}}", "", standard},
		{"idle timeout of tcp", "{tcp: {idleTimeout: 4s}}", "", pool(func(p *plan.Pool) { p.IdleTimeout = 4 * time.Second })},
		{"no idle timeout", "{http: {idleTimeout: 0s}, tcp: {idleTimeout: 4s}}", "", pool(func(p *plan.Pool) { p.IdleTimeout = never })},
		{"connect timeout of the mesh", "{}", "connectTimeout: 3s", pool(func(p *plan.Pool) { p.ConnectTimeout = 3 * time.Second })},
		{"connect timeout over the mesh's", "{tcp: {connectTimeout: 1s}}", "connectTimeout: 3s", pool(func(p *plan.Pool) { p.ConnectTimeout = time.Second })},
		{"keep-alive over the mesh's", "{tcp: {tcpKeepalive: {probes: 2}}}", "tcpKeepalive: {probes: 1, time: 5s}", pool(func(p *plan.Pool) { p.KeepAlive = &plan.KeepAlive{Probes: 2, Time: 5 * time.Second} })},
	} {
		var texts []string
		if c.mesh != "" {
			texts = append(texts, mesh+c.mesh)
		}
		b, problems := ruled(t, "trafficPolicy: {connectionPool: "+c.pool+"}", texts...)
		if !reflect.DeepEqual(b.Pool, c.want) || len(problems) > 0 {
			t.Errorf("%s: got %+v, %v; want %+v", c.name, b.Pool, problems, c.want)
		}
	}
}

func TestOutlierDetection(t *testing.T) {
	for _, c := range []struct {
		outlier string
		want    *plan.Outlier
	}{
		{"null", nil},
		{"{}", &plan.Outlier{Consecutive5xx: 5, Interval: 10 * time.Second, BaseEjection: 30 * time.Second, MaxEjectionPercent: 10}},
		{"{consecutive5xxErrors: 0, consecutiveGatewayErrors: 3}", &plan.Outlier{ConsecutiveGateway: 3, Interval: 10 * time.Second, BaseEjection: 30 * time.Second, MaxEjectionPercent: 10}},
		{"{consecutive5xxErrors: 2, consecutiveGatewayErrors: 0, interval: 1s, baseEjectionTime: 2m, maxEjectionPercent: 100, minHealthPercent: 40}",
			&plan.Outlier{Consecutive5xx: 2, Interval: time.Second, BaseEjection: 2 * time.Minute, MaxEjectionPercent: 100, MinHealthPercent: 40}},
		{"{splitExternalLocalOriginErrors: true}", &plan.Outlier{Consecutive5xx: 5, SplitLocal: true, ConsecutiveLocal: 5, Interval: 10 * time.Second, BaseEjection: 30 * time.Second, MaxEjectionPercent: 10}},
		{"{splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2}",
			&plan.Outlier{Consecutive5xx: 5, SplitLocal: true, ConsecutiveLocal: 2, Interval: 10 * time.Second, BaseEjection: 30 * time.Second, MaxEjectionPercent: 10}},
		{"{consecutiveLocalOriginFailures: 2}", &plan.Outlier{Consecutive5xx: 5, Interval: 10 * time.Second, BaseEjection: 30 * time.Second, MaxEjectionPercent: 10}},
	} {
		b, problems := ruled(t, "trafficPolicy: {outlierDetection: "+c.outlier+"}")
		if !reflect.DeepEqual(b.Outlier, c.want) || len(problems) > 0 {
			t.Errorf("%s: got %+v, %v; want %+v", c.outlier, b.Outlier, problems, c.want)
		}
	}
}

// The subset's settings go over the rule's, part by part; those of a port stand
// alone and take nothing over.
func TestPoliciesMerge(t *testing.T) {
	const top = "loadBalancer: {simple: RANDOM}, connectionPool: {http: {maxRetries: 1}}, outlierDetection: {consecutive5xxErrors: 1}"
	for _, c := range []struct {
		name, policy, subset string
		balance              plan.Balance
		retries, errors      int
	}{
		{"rule", top, "", plan.Random, 1, 1},
		{"subset over rule", top, "loadBalancer: {simple: ROUND_ROBIN}", plan.RoundRobin, 1, 1},
		{"empty part of a subset", top, "connectionPool: {}", plan.Random, 0, 1},
		{"port over rule", top + ", portLevelSettings: [{port: {number: 80}, connectionPool: {http: {maxRetries: 2}}}]", "", plan.LeastRequest, 2, 0},
		{"another port", top + ", portLevelSettings: [{port: {number: 81}, connectionPool: {http: {maxRetries: 2}}}]", "", plan.Random, 1, 1},
		{"first of one port", top + ", portLevelSettings: [{port: {number: 80}, connectionPool: {http: {maxRetries: 2}}}, {port: {number: 80}, connectionPool: {http: {maxRetries: 3}}}]", "", plan.LeastRequest, 2, 0},
		{"subset over port", top + ", portLevelSettings: [{port: {number: 80}, connectionPool: {http: {maxRetries: 2}}}]", "loadBalancer: {simple: ROUND_ROBIN}", plan.RoundRobin, 2, 0},
		{"port of a subset", top, "loadBalancer: {simple: ROUND_ROBIN}, portLevelSettings: [{port: {number: 80}, connectionPool: {http: {maxRetries: 4}}}]", plan.LeastRequest, 4, 0},
		{"another port of a subset", top, "loadBalancer: {simple: ROUND_ROBIN}, portLevelSettings: [{port: {number: 81}, connectionPool: {http: {maxRetries: 4}}}]", plan.RoundRobin, 1, 1},
	} {
		b, problems := ruled(t, "trafficPolicy: {"+c.policy+"}\n  subsets: [{name: v1, trafficPolicy: {"+c.subset+"}}]")
		errors := 0
		if b.Outlier != nil {
			errors = b.Outlier.Consecutive5xx
		}
		if b.Balance != c.balance || b.Pool.MaxRetries != c.retries || errors != c.errors || len(problems) > 0 {
			t.Errorf("%s: got %v, %d, %d, %v; want %v, %d, %d", c.name, b.Balance, b.Pool.MaxRetries, errors, problems, c.balance, c.retries, c.errors)
		}
	}
}

// The mesh's default policy fills in the parts that a rule leaves out.
func TestDefaultPolicyOfTheMesh(t *testing.T) {
	const mesh = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    defaultTrafficPolicy: {connectionPool: {http: {maxRetries: 9}}, outlierDetection: {consecutive5xxErrors: 8}}\n"
	b, problems := ruled(t, "trafficPolicy: {connectionPool: {http: {maxRetries: 1}}}", mesh)
	if b.Pool.MaxRetries != 1 || b.Outlier == nil || b.Outlier.Consecutive5xx != 8 || len(problems) > 0 {
		t.Errorf("got %+v, %+v, %v", b.Pool, b.Outlier, problems)
	}
	if b, _ = backendOf(t, "{host: app}", mesh); b.Pool.MaxRetries != 9 || b.Outlier == nil {
		t.Errorf("without a rule: got %+v, %+v", b.Pool, b.Outlier)
	}
}

func TestProtocols(t *testing.T) {
	const upgrading = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: \"h2UpgradePolicy: UPGRADE\"}\n"
	for _, c := range []struct {
		port, pool, mesh string
		want             plan.Protocol
	}{
		{"name: http", "", "", plan.HTTP1},
		{"name: web", "", "", plan.HTTP1},
		{"name: http2", "", "", plan.HTTP2},
		{"name: http2-web", "", "", plan.HTTP2},
		{"name: http2web", "", "", plan.HTTP1},
		{"name: grpc", "", "", plan.HTTP2},
		{"name: grpc-web", "", "", plan.HTTP2},
		{"name: grpc-web-x", "", "", plan.HTTP2},
		{"name: https", "", "", plan.HTTP1},
		{"name: tls-x", "", "", plan.HTTP1},
		{"name: tcp", "", "", plan.HTTP1},
		{"name: http2, appProtocol: http", "", "", plan.HTTP1},
		{"name: http, appProtocol: GRPC", "", "", plan.HTTP2},
		{"name: http, appProtocol: grpc-web", "", "", plan.HTTP2},
		{"name: http, appProtocol: kubernetes.io/h2c", "", "", plan.HTTP2},
		{"name: grpc, appProtocol: kubernetes.io/ws", "", "", plan.HTTP1},
		{"name: grpc, appProtocol: kubernetes.io/wss", "", "", plan.HTTP1},
		{"name: grpc, appProtocol: example.com/own", "", "", plan.HTTP1},
		{"name: http", "h2UpgradePolicy: UPGRADE", "", plan.HTTP2},
		{"name: tcp", "h2UpgradePolicy: UPGRADE", "", plan.HTTP2},
		{"name: http", "", upgrading, plan.HTTP2},
		{"name: tcp", "", upgrading, plan.HTTP1},
		{"name: web", "", upgrading, plan.HTTP1},
		{"name: http", "h2UpgradePolicy: DO_NOT_UPGRADE", upgrading, plan.HTTP1},
		{"name: http2", "h2UpgradePolicy: DO_NOT_UPGRADE", "", plan.HTTP2},
		{"name: http", "useClientProtocol: true", "", plan.SameAsClient},
		{"name: http", "useClientProtocol: true, h2UpgradePolicy: UPGRADE", "", plan.SameAsClient},
		{"name: grpc", "useClientProtocol: true", "", plan.SameAsClient},
	} {
		texts := []string{"apiVersion: v1\nkind: Service\nmetadata: {name: own-port, namespace: shop}\nspec: {selector: {app: a}, ports: [{port: 80, " + c.port + "}]}\n",
			ruleYAML("shop/own-port", "host: own-port\n  trafficPolicy: {connectionPool: {http: {"+c.pool+"}}}")}
		if c.mesh != "" {
			texts = append(texts, c.mesh)
		}
		b, problems := backendOf(t, "{host: own-port}", texts...)
		if b.Protocol != c.want || len(problems) > 0 {
			t.Errorf("%s, %s: got %v, %v; want %v", c.port, c.pool, b.Protocol, problems, c.want)
		}
	}
}

// What is not carried out is told, each once and at its field, and does no harm.
func TestPolicyFieldsThatAreNotCarriedOut(t *testing.T) {
	for _, c := range []struct{ spec, want string }{
		{"trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}", "warning not-carried-out spec.trafficPolicy.loadBalancer.simple"},
		{"trafficPolicy: {loadBalancer: {warmup: {duration: 1s}}}", "warning not-carried-out spec.trafficPolicy.loadBalancer.warmup"},
		{"trafficPolicy: {loadBalancer: {warmupDurationSecs: 1s}}", "warning not-carried-out spec.trafficPolicy.loadBalancer.warmupDurationSecs"},
		{"trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: true}}}", "info not-carried-out spec.trafficPolicy.loadBalancer.localityLbSetting"},
		{"trafficPolicy: {loadBalancer: {zoneAwareLbSetting: {enabled: true}}}", "info not-carried-out spec.trafficPolicy.loadBalancer.zoneAwareLbSetting"},
		{"trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {name: \"a;b\", ttl: 0s}}}}", "error schema spec.trafficPolicy.loadBalancer.consistentHash.httpCookie.name"},
		{"trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {name: a, path: \"/; Domain=x\", ttl: 0s}}}}", "error schema spec.trafficPolicy.loadBalancer.consistentHash.httpCookie.path"},
		{"trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {name: a, ttl: 0s, attributes: [{name: \"a\\r\\nb\"}]}}}}", "error schema spec.trafficPolicy.loadBalancer.consistentHash.httpCookie.attributes[0]"},
		{"trafficPolicy: {connectionPool: {http: {maxConcurrentStreams: 1}}}", "warning not-carried-out spec.trafficPolicy.connectionPool.http.maxConcurrentStreams"},
		{"trafficPolicy: {connectionPool: {http: {http2KeepAlive: {interval: 1s}}}}", "warning not-carried-out spec.trafficPolicy.connectionPool.http.http2KeepAlive"},
		{"trafficPolicy: {outlierDetection: {outlierDetectionHttpErrorCodes: [429]}}", "warning not-carried-out spec.trafficPolicy.outlierDetection.outlierDetectionHttpErrorCodes"},
		{"trafficPolicy: {outlierDetection: {consecutiveErrors: 1}}", "warning not-carried-out spec.trafficPolicy.outlierDetection.consecutiveErrors"},
		{"trafficPolicy: {tunnel: {targetHost: a, targetPort: 1}}", "warning not-carried-out spec.trafficPolicy.tunnel"},
		{"trafficPolicy: {proxyProtocol: {version: V2}}", "warning not-carried-out spec.trafficPolicy.proxyProtocol"},
		{"trafficPolicy: {retryBudget: {percent: 5}}", "warning not-carried-out spec.trafficPolicy.retryBudget"},
		{"trafficPolicy: {portLevelSettings: [{port: {number: 80}, loadBalancer: {warmup: {duration: 1s}}}]}", "warning not-carried-out spec.trafficPolicy.portLevelSettings[0].loadBalancer.warmup"},
		{"subsets: [{name: v1, trafficPolicy: {proxyProtocol: {version: V2}}}]", "warning not-carried-out spec.subsets[0].trafficPolicy.proxyProtocol"},
		{"trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}", "info not-carried-out spec.trafficPolicy.tls.mode"},
	} {
		b, problems := ruled(t, c.spec)
		var got []string
		for _, p := range problems {
			got = append(got, string(p.Severity)+" "+p.Code+" "+p.Field)
		}
		if !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: got %v, want %s", c.spec, got, c.want)
		}
		if b.Missing != "" || b.Hash != nil && b.Hash.Generate {
			t.Errorf("%s: got missing %q, %+v", c.spec, b.Missing, b.Hash)
		}
	}
}
