package jwt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

const (
	fetchTimeout = 5 * time.Second // of discovery and key set together (Istio, JWTRule.timeout)
	maxDocument  = 1 << 20         // bytes of a key set or discovery document
	maxRedirects = 3
)

// KeysURL is the first URL that is fetched for a rule: the key set's, or where
// the issuer says which that is (OpenID Connect Discovery, section 4).
func KeysURL(s *plan.KeySource, issuer string) string {
	if s.URI != "" {
		return s.URI
	}
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

// download fetches the key set of a rule.
func (s *Store) download(ctx context.Context, r *plan.TokenRule) ([]byte, error) {
	timeout := r.Keys.Timeout
	if timeout <= 0 {
		timeout = fetchTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	first := KeysURL(&r.Keys, r.Issuer)
	client, err := s.client(first, &r.Keys)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	data, err := get(ctx, client, first)
	if err != nil || r.Keys.URI != "" {
		return data, err
	}
	var document struct {
		URI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("%s is no JSON: %w", first, err)
	}
	if err := follows(first, document.URI); err != nil {
		return nil, fmt.Errorf("jwks_uri of %s: %w", first, err)
	}
	return get(ctx, client, document.URI)
}

// client is an HTTP client that reaches the host and port of a URL at the endpoints of
// the source's backend, where there is one, and Services at theirs.
func (s *Store) client(first string, source *plan.KeySource) (*http.Client, error) {
	u, err := url.Parse(first)
	if err != nil {
		return nil, err
	}
	own, backend := hostPort(u), source.Backend
	t := &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == own && backend != nil {
			return s.dialBackend(ctx, network, backend)
		}
		if eps := inCluster(source.Services, address); eps != nil {
			return s.dialBackend(ctx, network, &plan.Backend{Endpoints: eps})
		}
		return s.o.Dial(ctx, network, address)
	}
	if backend == nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) {
			if inCluster(source.Services, hostPort(r.URL)) != nil {
				return nil, nil
			}
			return http.ProxyFromEnvironment(r)
		}
	}
	return &http.Client{Transport: t, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		return follows(via[0].URL.String(), req.URL.String())
	}}, nil
}

// inCluster are the endpoints of a Service by a name that a Pod could use: in full, or
// without the end.
func inCluster(services map[string][]plan.Endpoint, address string) []plan.Endpoint {
	host, port, err := net.SplitHostPort(strings.ToLower(address))
	if err != nil {
		return nil
	}
	switch {
	case strings.HasSuffix(host, ".svc"):
		host += ".cluster.local"
	case strings.Count(host, ".") == 1:
		host += ".svc.cluster.local"
	}
	return services[net.JoinHostPort(host, port)]
}

// dialBackend connects to one of the endpoints: any first, then the others.
func (s *Store) dialBackend(ctx context.Context, network string, b *plan.Backend) (net.Conn, error) {
	if b.Missing != "" {
		return nil, errors.New(b.Missing)
	}
	if len(b.Endpoints) == 0 {
		return nil, errors.New("no ready endpoint of " + b.Key)
	}
	var bad error
	for _, i := range rand.Perm(len(b.Endpoints))[:min(len(b.Endpoints), 3)] {
		c, err := s.o.Dial(ctx, network, b.Endpoints[i].Address)
		if err == nil {
			return c, nil
		}
		bad = errors.Join(bad, err)
	}
	return nil, bad
}

// follows tells whether one may go on from one URL to another: only http and
// https, and never from https to http.
func follows(from, to string) error {
	u, err := url.Parse(to)
	switch {
	case err != nil:
		return err
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return fmt.Errorf("%q is no http or https URL", to)
	case u.Scheme == "http" && strings.HasPrefix(strings.ToLower(from), "https:"):
		return fmt.Errorf("%q is not encrypted, and %q is", to, from)
	}
	return nil
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func get(ctx context.Context, client *http.Client, from string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "doorward")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: status %d", from, resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", from, err)
	}
	if len(data) > maxDocument {
		return nil, fmt.Errorf("GET %s: more than %d bytes", from, maxDocument)
	}
	return data, nil
}
