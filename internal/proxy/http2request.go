package proxy

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/match"
)

// request2 makes r a request over HTTP/2, without its body. The target goes out
// byte for byte.
func request2(ctx context.Context, r *match.Request) *http.Request {
	h := make(http.Header, len(r.Header)+2)
	req := &http.Request{
		Method: r.Method, Host: r.Host, Header: h, Proto: "HTTP/2.0", ProtoMajor: 2,
		URL: &url.URL{Scheme: "http", Host: r.Host, Opaque: "//" + r.Host + r.Target},
	}
	for i := range r.Header {
		name := http.CanonicalHeaderKey(r.Header[i].Name)
		if name == "Trailer" {
			declare(req, r.Header[i].Value)
			continue
		}
		h[name] = append(h[name], r.Header[i].Value)
	}
	if h["User-Agent"] == nil {
		h["User-Agent"] = []string{""} // none of net/http's own
	}
	return req.WithContext(ctx)
}

// declare announces the trailers that the client has announced: others cannot
// be sent over HTTP/2.
func declare(req *http.Request, names string) {
	for name := range strings.SplitSeq(names, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if http1.ValidTrailer(name) {
			if req.Trailer == nil {
				req.Trailer = http.Header{}
			}
			req.Trailer[http.CanonicalHeaderKey(name)] = nil
		}
	}
}

// fieldsOf makes fields of a map, by name.
func fieldsOf(h http.Header) header.Fields {
	if len(h) == 0 {
		return nil
	}
	f := make(header.Fields, 0, len(h)+4)
	for name, values := range h {
		name = strings.ToLower(name)
		for _, v := range values {
			f.Add(name, v)
		}
	}
	slices.SortStableFunc(f, func(a, b header.Field) int { return strings.Compare(a.Name, b.Name) })
	return f
}
