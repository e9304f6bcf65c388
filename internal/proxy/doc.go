// Package proxy carries the outcome of a walk out over sockets.
//
// A connection speaks HTTP/1.1 (http1front.go) or HTTP/2 (http2front.go). Both
// make an exchange of every request, and the exchange does the rest: it asks
// the plan in force, once, by plan.Walk; then it replies, or forwards the
// request to the backend's cluster.
//
//	Serve ─ accept ─ TLS ─┬─ http1front ─┐
//	                      └─ http2front ─┴─ exchange ─ Walk ─┬─ reply
//	                                                         └─ forward ─┬─ http1up, http2up: one attempt
//	                                                                     ├─ retry: another one?
//	                                                                     └─ download, upgrade
//
// Bodies stream in both directions; a goroutine besides the connection's own
// runs only for an upload that is not whole when the request begins. What is
// found out too late for the walk (an upstream that fails, a limit that runs
// out, a body that grows too long) is answered in the words of the hop that
// would have found it out (fail.go).
package proxy
