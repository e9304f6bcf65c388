package server

import (
	"net/http"

	"github.com/doorward/doorward/internal/extauthz"
	"github.com/doorward/doorward/internal/login"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/telemetry"
	"github.com/doorward/doorward/internal/upstream"
)

// metricsPage is /metrics: what telemetry counts, and what the server and its
// upstreams know.
func (s *Server) metricsPage() http.Handler {
	r := telemetry.NewRegistry(s.metrics)
	s.addConfig(r)
	s.addUpstreams(r)
	s.addAuthorizers(r)
	s.addLogins(r)
	s.addKeys(r)
	r.Counter("doorward_access_log_dropped_total", "Lines of the access log that were dropped because its reader is slow.", nil, one(func() float64 { return float64(s.accessLog.Dropped()) }))
	r.Counter("doorward_mirrored_requests_total", "Copies of requests, by whether they were sent to a mirror.", []string{"sent"}, func(add func(telemetry.Sample)) {
		n := s.proxy.Counts()
		add(sample(float64(n.Mirrored), "true"))
		add(sample(float64(n.NotMirrored), "false"))
	})
	r.Counter("doorward_panics_total", "Requests that failed inside of Doorward.", nil, one(func() float64 { return float64(s.proxy.Counts().Panics) }))
	return r.Handler()
}

// addConfig tells of the loads, in the words of other reloading programs.
func (s *Server) addConfig(r *telemetry.Registry) {
	r.Gauge("doorward_build_info", "The version that runs.", []string{"version"}, func(add func(telemetry.Sample)) { add(sample(1, s.o.Version)) })
	r.Gauge("doorward_config_last_reload_successful", "Whether the last load of the manifests succeeded.", nil, one(func() float64 {
		if s.status.Load().err != nil {
			return 0
		}
		return 1
	}))
	r.Gauge("doorward_config_last_reload_success_timestamp_seconds", "When the plan in force was put in force.", nil, one(func() float64 {
		return float64(s.status.Load().since.UnixMilli()) / 1000
	}))
	r.Counter("doorward_config_reloads_total", "Loads of the manifests, the first included.", []string{"result"}, func(add func(telemetry.Sample)) {
		add(sample(float64(s.loads.good.Load()), "success"))
		add(sample(float64(s.loads.bad.Load()), "failure"))
	})
	r.Gauge("doorward_config_problems", "Problems of the plan in force.", []string{"severity"}, func(add func(telemetry.Sample)) {
		for _, severity := range []problem.Severity{problem.Error, problem.Warning, problem.Info} {
			add(sample(float64(s.status.Load().problems.Count(severity)), string(severity)))
		}
	})
	r.Gauge("doorward_plan_size", "What the plan in force has.", []string{"of"}, func(add func(telemetry.Sample)) {
		n := s.status.Load().size
		add(sample(float64(n.listeners), "listeners"))
		add(sample(float64(n.hosts), "hosts"))
		add(sample(float64(n.routes), "routes"))
		add(sample(float64(n.backends), "backends"))
	})
}

// addUpstreams tells of clusters and endpoints.
func (s *Server) addUpstreams(r *telemetry.Registry) {
	cluster := []string{"cluster"}
	clusters := func(value func(c *upstream.ClusterStats) float64) func(func(telemetry.Sample)) {
		return func(add func(telemetry.Sample)) {
			seen := map[string]float64{} // two TLS settings share a key
			for _, c := range s.upstreams.Snapshot() {
				seen[c.Key] += value(&c)
			}
			for key, v := range seen {
				add(sample(v, key))
			}
		}
	}
	r.Counter("doorward_upstream_requests_total", "Requests sent to the endpoints of a cluster, retries included.", cluster,
		clusters(func(c *upstream.ClusterStats) float64 { return float64(c.Requests) }))
	r.Gauge("doorward_upstream_requests_active", "Requests under way.", cluster,
		clusters(func(c *upstream.ClusterStats) float64 { return float64(c.Active) }))
	r.Gauge("doorward_upstream_requests_pending", "Requests that wait for a connection.", cluster,
		clusters(func(c *upstream.ClusterStats) float64 { return float64(c.Pending) }))
	r.Counter("doorward_upstream_overflows_total", "Requests refused by a bound of the connection pool.", cluster,
		clusters(func(c *upstream.ClusterStats) float64 { return float64(c.Overflows) }))
	r.Counter("doorward_upstream_ejections_total", "Endpoints taken out by outlier detection.", cluster,
		clusters(func(c *upstream.ClusterStats) float64 { return float64(c.Ejections) }))

	endpoint := []string{"cluster", "endpoint"}
	endpoints := func(value func(e *upstream.EndpointStats) float64) func(func(telemetry.Sample)) {
		return func(add func(telemetry.Sample)) {
			seen := map[[2]string]float64{}
			for _, c := range s.upstreams.Snapshot() {
				for i := range c.Endpoints {
					seen[[2]string{c.Key, c.Endpoints[i].Address}] += value(&c.Endpoints[i])
				}
			}
			for k, v := range seen {
				add(sample(v, k[0], k[1]))
			}
		}
	}
	r.Gauge("doorward_upstream_healthy", "Whether an endpoint is used: 0 while it is ejected.", endpoint,
		endpoints(func(e *upstream.EndpointStats) float64 {
			if e.Healthy {
				return 1
			}
			return 0
		}))
	r.Gauge("doorward_upstream_connections", "Open connections, idle ones included.", endpoint,
		endpoints(func(e *upstream.EndpointStats) float64 { return float64(e.Connections) }))
	r.Counter("doorward_upstream_connections_opened_total", "Connections made.", endpoint,
		endpoints(func(e *upstream.EndpointStats) float64 { return float64(e.Opened) }))
	r.Counter("doorward_upstream_connect_errors_total", "Connections that could not be made.", endpoint,
		endpoints(func(e *upstream.EndpointStats) float64 { return float64(e.ConnectErrors) }))
}

// addAuthorizers tells of external authorizers, under the names of Envoy's filter.
func (s *Server) addAuthorizers(r *telemetry.Registry) {
	for _, m := range []struct {
		name, help string
		value      func(extauthz.Counts) uint64
	}{
		{"ok", "Requests that an external authorizer has allowed.", func(n extauthz.Counts) uint64 { return n.OK }},
		{"denied", "Requests that an external authorizer has refused.", func(n extauthz.Counts) uint64 { return n.Denied }},
		{"error", "Checks without a verdict, time-outs included.", func(n extauthz.Counts) uint64 { return n.Error }},
		{"timeout", "Checks without an answer in time.", func(n extauthz.Counts) uint64 { return n.Timeout }},
		{"failure_mode_allowed", "Requests let through without a verdict (failOpen).", func(n extauthz.Counts) uint64 { return n.FailureModeAllowed }},
	} {
		r.Counter("envoy_http_ext_authz_"+m.name, m.help, []string{"provider"}, func(add func(telemetry.Sample)) {
			for provider, n := range s.authz.Counts() {
				add(sample(float64(m.value(n)), provider))
			}
		})
	}
}

// addLogins tells of the logins at providers.
func (s *Server) addLogins(r *telemetry.Registry) {
	type result struct {
		name  string
		value func(login.Counts) uint64
	}
	for _, m := range []struct {
		name, help, label string
		results           []result
	}{
		{"logins", "Logins that came back from a provider or could not be sent there.", "result", []result{
			{"success", func(n login.Counts) uint64 { return n.LoggedIn }},
			{"failure", func(n login.Counts) uint64 { return n.Failed }},
			{"unavailable", func(n login.Counts) uint64 { return n.Away }}}},
		{"login_refreshes", "Sessions that were to get new tokens.", "result", []result{
			{"success", func(n login.Counts) uint64 { return n.Refreshed }},
			{"ended", func(n login.Counts) uint64 { return n.Ended }},
			{"unavailable", func(n login.Counts) uint64 { return n.RefreshAway }}}},
		{"logouts", "Sessions that were ended.", "by", []result{
			{"user", func(n login.Counts) uint64 { return n.LoggedOut }},
			{"provider", func(n login.Counts) uint64 { return n.LoggedOutThere }}}},
	} {
		r.Counter("doorward_"+m.name+"_total", m.help, []string{"provider", m.label}, func(add func(telemetry.Sample)) {
			for provider, n := range s.logins.Counts() {
				for _, x := range m.results {
					add(sample(float64(x.value(n)), provider, x.name))
				}
			}
		})
	}
}

func sample(v float64, labels ...string) telemetry.Sample {
	return telemetry.Sample{Labels: labels, Value: v}
}

// one is a metric without labels.
func one(value func() float64) func(func(telemetry.Sample)) {
	return func(add func(telemetry.Sample)) { add(telemetry.Sample{Value: value()}) }
}
