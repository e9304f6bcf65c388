package explain

import (
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// Limit is the strictest of its kind on the way.
type Limit struct {
	// What is bounded: "time between two reads", "time of the whole exchange", "time of
	// one try", "request body".
	What  string `json:"what"`
	Value string `json:"value"` // "1m0s", or bytes as "1m"
	Hop   int    `json:"hop"`   // from 0
	// By is what sets it; "" is the layer's default, or for a server whose manifests are
	// not at hand the rule that carries it.
	By string `json:"by,omitempty"`
}

const annotations = "nginx.ingress.kubernetes.io/"

// limits are the strictest limits of the hops.
func (x *asking) limits() (all []Limit) {
	type kind struct {
		what, annotation, field string
		of                      func(*plan.Forward) time.Duration
	}
	for _, k := range []kind{
		{"time between two reads", "proxy-read-timeout", "", func(f *plan.Forward) time.Duration { return f.Limits.Read }},
		{"time of the whole exchange", "", ".timeout", func(f *plan.Forward) time.Duration { return f.Limits.Total }},
		{"time of one try", "", ".retries.perTryTimeout", func(f *plan.Forward) time.Duration { return f.Retry.PerTry }},
	} {
		var least *Limit
		var limit time.Duration
		for i, h := range x.out.Hops() {
			if h.Route == nil {
				continue
			}
			f, ok := h.Route.Action.(*plan.Forward)
			if !ok || k.of(f) == 0 || limit != 0 && k.of(f) >= limit {
				continue
			}
			limit = k.of(f)
			least = &Limit{What: k.what, Value: limit.String(), Hop: i, By: x.setBy(&h, k.annotation, k.field, limit == time.Minute)}
		}
		if least != nil {
			all = append(all, *least)
		}
	}
	return append(all, x.bodyLimit()...)
}

// bodyLimit is the strictest bound of the request's body.
func (x *asking) bodyLimit() (all []Limit) {
	least := int64(-1)
	for i, h := range x.out.Hops() {
		if h.Route == nil {
			continue
		}
		for _, g := range h.Route.Guards {
			if b, ok := g.(*plan.BodyLimit); ok && (least < 0 || b.Bytes < least) {
				least = b.Bytes
				all = []Limit{{What: "request body", Value: sizeText(b.Bytes), Hop: i, By: x.setBy(&h, "proxy-body-size", "", b.Bytes == 1<<20)}}
			}
		}
	}
	return all
}

// sizeText writes bytes as nginx does: 1m, 512k.
func sizeText(n int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}} {
		if n >= unit.size && n%unit.size == 0 {
			return strconv.FormatInt(n/unit.size, 10) + unit.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// setBy finds what sets a limit of a hop's route: an annotation of its Ingress or the
// controller's ConfigMap, or a field of its rule.
func (x *asking) setBy(h *plan.Hop, annotation, field string, byDefault bool) string {
	o := h.Route.Origin
	if h.Listener.Dialect != plan.NGINX {
		o.Field, _, _ = strings.Cut(o.Field, ".match")
		o.Field += field
		return x.ground.lines([]plan.Origin{o}).text(o.String())
	}
	if x.ground.Set == nil { // the annotation, or the ConfigMap
		if byDefault {
			return ""
		}
		return x.places.text(o.String())
	}
	if ing, ok := x.ground.Set.Ingresses.Get(o.Ref.Namespace, o.Ref.Name); ok && ing.Object.Annotations[annotations+annotation] != "" {
		o.Field = "metadata.annotations." + annotations + annotation
		return x.ground.lines([]plan.Origin{o}).text(o.String())
	}
	for _, item := range x.ground.Set.ConfigMaps.All() {
		if _, ok := item.Object.Data[annotation]; ok && strings.Contains(item.Ref.Name, "nginx") {
			o := plan.Origin{Ref: item.Ref, Origin: item.Origin, Field: "data." + annotation}
			return x.ground.lines([]plan.Origin{o}).text(o.String())
		}
	}
	return ""
}
