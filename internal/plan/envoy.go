package plan

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// externalOnly are the fields that Envoy removes from requests of outside
// (conn_manager_utility cleanInternalHeaders, and what it writes by itself).
var externalOnly = [...]string{
	"x-envoy-decorator-operation", "x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node",
	"x-envoy-original-path", "x-envoy-original-host", "x-envoy-retriable-status-codes", "x-envoy-retriable-header-names",
	"x-envoy-retry-on", "x-envoy-retry-grpc-on", "x-envoy-max-retries", "x-envoy-upstream-alt-stat-name",
	"x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms", "x-envoy-upstream-rq-timeout-alt-response",
	"x-envoy-expected-rq-timeout-ms", "x-envoy-force-trace", "x-envoy-ip-tags", "x-envoy-original-url",
	"x-envoy-hedge-on-per-try-timeout", "x-envoy-internal", "x-envoy-external-address", "x-envoy-attempt-count",
}

// enterEnvoy is what an Istio gateway does with the fields of a request before
// it reads any rule.
func (l *Listener) enterEnvoy(w *walk) bool {
	r := w.req
	r.Header = slices.DeleteFunc(r.Header, func(f header.Field) bool { return isExternalOnly(f.Name) })
	scheme := "http"
	if r.Secure {
		scheme = "https"
	}
	forwarded, had := r.Header.Joined("x-forwarded-for", ",")
	client, keepProto := r.Peer, false
	if l.TrustedHops > 0 {
		client = fromRight(forwarded, l.TrustedHops, r.Peer)
		p, said := r.Header.Get("x-forwarded-proto")
		if p == "http" || p == "https" {
			scheme = p
		}
		keepProto = said
	}
	r.Remote = client
	peer := r.Client()
	if had {
		r.Header.Set("x-forwarded-for", w.text.join(forwarded, ",", peer))
	} else {
		r.Header.Add("x-forwarded-for", peer)
	}
	r.Scheme = scheme
	if !keepProto {
		r.Header.Set("x-forwarded-proto", scheme)
	}
	w.hop.peer, w.hop.client = peer, peer
	if client != r.Peer {
		w.hop.client = client.String()
	}
	r.Header.Add("x-envoy-external-address", w.hop.client)
	// An outside request gets an id of its own, whatever it brought.
	r.Header.Set("x-request-id", w.text.uuid(w.world.ID()))
	// Istio's gateways know one upgrade (listener_builder, UpgradeConfigs); others are
	// refused before anything is asked (Envoy, upgrade_failed).
	if r.Upgrade != "" && !strings.EqualFold(r.Upgrade, "websocket") {
		w.reply(Reply{Status: 403, Reason: "a gateway lets nobody upgrade to " + r.Upgrade})
		return false
	}
	return true
}

func isExternalOnly(name string) bool {
	if !strings.HasPrefix(name, "x-envoy-") {
		return name == "x-forwarded-client-cert"
	}
	for _, n := range externalOnly {
		if n == name {
			return true
		}
	}
	return false
}

// fromRight returns the nth address from the right of an X-Forwarded-For list,
// or peer if there are fewer.
func fromRight(list string, n int, peer netip.Addr) netip.Addr {
	for ; list != ""; n-- {
		i := strings.LastIndexByte(list, ',')
		last := strings.TrimSpace(list[i+1:])
		if n == 1 {
			if a, err := netip.ParseAddr(last); err == nil {
				return a
			}
			return peer
		}
		list = list[:max(i, 0)]
	}
	return peer
}

// sendEnvoy adds what Envoy's router tells the upstream.
func (l *Listener) sendEnvoy(w *walk, f *Forward) {
	w.req.Header.Set("x-envoy-attempt-count", "1")
	if t := f.Limits.Total; t > 0 {
		if p := f.Retry.PerTry; p > 0 && p < t {
			t = p
		}
		var digits [20]byte
		w.req.Header.Set("x-envoy-expected-rq-timeout-ms", w.text.bytes(strconv.AppendInt(digits[:0], t.Milliseconds(), 10)))
	}
}

// leaveEnvoy is what the gateway does with a response.
func (l *Listener) leaveEnvoy(status int, f *header.Fields, took time.Duration, own bool) {
	f.Set("server", "istio-envoy")
	f.Del("x-envoy-decorator-operation")
	if !own {
		f.Set("x-envoy-upstream-service-time", milliseconds(took))
	}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// renderEnvoy turns a reply into Envoy's form: text/plain, and for gRPC callers
// HTTP 200 with the status in grpc-status (utility sendLocalReply).
func renderEnvoy(r *match.Request, p Reply) Reply {
	if ct := r.Header.Value("content-type"); !p.IsGRPC && p.Status >= 300 && isGRPC(ct) {
		p.IsGRPC, p.GRPC = true, grpcStatus(p.Status)
	}
	if p.IsGRPC {
		p.Status = 200
		p.Header.Set("content-type", "application/grpc")
		p.Header.Set("grpc-status", strconv.Itoa(p.GRPC))
		if p.Body != "" {
			p.Header.Set("grpc-message", strings.ReplaceAll(p.Body, "%", "%25"))
		}
		p.Body = ""
		return p
	}
	if p.Body != "" && !p.Header.Has("content-type") {
		p.Header.Add("content-type", "text/plain")
	}
	return p
}

func isGRPC(contentType string) bool {
	rest, ok := strings.CutPrefix(contentType, "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// grpcStatus maps an HTTP status as gRPC's http-grpc-status-mapping does.
func grpcStatus(status int) int {
	switch status {
	case 400:
		return 13
	case 401:
		return 16
	case 403:
		return 7
	case 404:
		return 12
	case 429, 502, 503, 504:
		return 14
	}
	return 2
}
