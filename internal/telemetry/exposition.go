package telemetry

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A Sample is one value of a metric that somebody else keeps.
type Sample struct {
	Labels []string // values, in the order of the metric's names
	Value  float64
}

// Registry is the page of metrics: what is recorded, what others keep, the
// process and Go's runtime.
type Registry struct{ registry *prometheus.Registry }

// NewRegistry returns a page with the metrics of m and of the process.
func NewRegistry(m *Metrics) *Registry {
	r := &Registry{prometheus.NewRegistry()}
	r.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newExchanges(m),
	)
	return r
}

// Counter adds a metric that only grows; values tells it when somebody looks.
func (r *Registry) Counter(name, help string, labels []string, values func(add func(Sample))) {
	r.add(name, help, labels, prometheus.CounterValue, values)
}

// Gauge adds a metric that goes up and down.
func (r *Registry) Gauge(name, help string, labels []string, values func(add func(Sample))) {
	r.add(name, help, labels, prometheus.GaugeValue, values)
}

func (r *Registry) add(name, help string, labels []string, kind prometheus.ValueType, values func(add func(Sample))) {
	r.registry.MustRegister(&kept{prometheus.NewDesc(name, help, labels, nil), kind, values})
}

// Handler serves the page in the formats of Prometheus and OpenMetrics.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4, Timeout: 30 * time.Second})
}

// kept is a metric that somebody else keeps.
type kept struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	values func(add func(Sample))
}

func (k *kept) Describe(ch chan<- *prometheus.Desc) { ch <- k.desc }

func (k *kept) Collect(ch chan<- prometheus.Metric) {
	k.values(func(s Sample) { ch <- prometheus.MustNewConstMetric(k.desc, k.kind, s.Value, s.Labels...) })
}

// exchanges shows what Metrics has counted.
type exchanges struct {
	m                          *Metrics
	istio, istioTime           *prometheus.Desc
	sidecar, sidecarTime       *prometheus.Desc
	nginx, nginxTime, nonsense *prometheus.Desc
}

func newExchanges(m *Metrics) *exchanges {
	gateway := []string{"source_workload", "source_workload_namespace", "destination_service", "destination_service_name",
		"destination_service_namespace", "request_protocol", "response_code", "response_flags"}
	edge := []string{"host", "ingress", "namespace", "service", "method", "status"}
	source, destination := prometheus.Labels{"reporter": "source"}, prometheus.Labels{"reporter": "destination"}
	return &exchanges{
		m:           m,
		istio:       prometheus.NewDesc("istio_requests_total", "Requests that a gateway (source) or a sidecar (destination) has handled.", gateway, source),
		istioTime:   prometheus.NewDesc("istio_request_duration_milliseconds", "Time from the first byte of a request at a gateway (source) or a sidecar (destination) to the last of its response.", gateway, source),
		sidecar:     prometheus.NewDesc("istio_requests_total", "Requests that a gateway (source) or a sidecar (destination) has handled.", gateway, destination),
		sidecarTime: prometheus.NewDesc("istio_request_duration_milliseconds", "Time from the first byte of a request at a gateway (source) or a sidecar (destination) to the last of its response.", gateway, destination),
		nginx:       prometheus.NewDesc("nginx_ingress_controller_requests", "Requests that the edge has handled.", edge, nil),
		nginxTime:   prometheus.NewDesc("nginx_ingress_controller_request_duration_seconds", "Time from the first byte of a request at the edge to the last of its response.", edge, nil),
		nonsense:    prometheus.NewDesc("doorward_refused_messages_total", "Messages that were refused before they were requests.", []string{"listener"}, nil),
	}
}

func (e *exchanges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{e.istio, e.istioTime, e.sidecar, e.sidecarTime, e.nginx, e.nginxTime, e.nonsense} {
		ch <- d
	}
}

func (e *exchanges) Collect(ch chan<- prometheus.Metric) {
	show := func(f *family, requests, took *prometheus.Desc, first, last int, unit time.Duration) {
		for _, s := range f.all() {
			t := s.total()
			ch <- prometheus.MustNewConstMetric(requests, prometheus.CounterValue, float64(t.count), s.labels...)
			ch <- prometheus.MustNewConstHistogram(took, t.count, float64(t.sum)/float64(unit), t.cumulative(first, last, unit), s.labels...)
		}
	}
	show(e.m.gateway, e.istio, e.istioTime, 0, len(bounds)-1, time.Millisecond)
	show(e.m.sidecar, e.sidecar, e.sidecarTime, 0, len(bounds)-1, time.Millisecond)
	show(e.m.edge, e.nginx, e.nginxTime, firstNGINX, lastNGINX, time.Second)
	e.m.refused.each(func(listener string, n uint64) {
		ch <- prometheus.MustNewConstMetric(e.nonsense, prometheus.CounterValue, float64(n), listener)
	})
}
