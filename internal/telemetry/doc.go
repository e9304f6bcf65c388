// Package telemetry says what happened: counters for machines, and a line a
// request for people.
//
// An Exchange is one request that has been answered, or that nobody waits for
// any more. Metrics counts it under the names that the layers it stands for
// would have counted it: istio_requests_total and
// istio_request_duration_milliseconds for a gateway hop,
// nginx_ingress_controller_requests and
// nginx_ingress_controller_request_duration_seconds for the edge; so existing
// dashboards keep working. AccessLog writes it as a line.
//
// Counting costs no allocation and no look-up by label: what is counted of a
// route hangs on the route itself (plan.Memo), and counters are split over
// shards so that processors do not wait for each other (series.go). No label
// ever holds what a client made up: hosts are those of the plan, methods those
// of RFC 9110 and RFC 5789, everything else is OTHER.
package telemetry
