package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Limits of a probe: nobody's server is taken by storm, and no answer fills the memory.
const (
	maxRedirects = 10
	maxFetches   = 64       // of what a page loads
	maxAnswer    = 4 << 20  // bytes of one answer
	maxBytes     = 32 << 20 // of all
)

// Client says how a probe reaches the server.
type Client struct {
	// Connect is HOST:PORT to connect to, whatever a URL says; "" as it says.
	Connect string
	// Resolve is HOST:PORT, as in URLs, to the address to connect to.
	Resolve map[string]string
	// Roots are authorities that are believed beside the system's; Insecure believes all.
	Roots    *x509.CertPool
	Insecure bool
	// Header goes with every request. It is sent to the page's host alone, as all
	// requests are.
	Header http.Header
	// Timeout of the whole probe.
	Timeout time.Duration
}

// answer is what a GET got.
type answer struct {
	url    *url.URL
	status int
	header http.Header
	body   []byte
	cut    bool // it is longer
}

// getter sends GET requests to one host.
type getter struct {
	client *http.Client
	header http.Header
	host   string
	left   int64 // bytes
	count  int
}

func (c *Client) getter(host string) *getter {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if to := c.Resolve[strings.ToLower(address)]; to != "" {
			address = to
		} else if c.Connect != "" {
			address = c.Connect
		}
		return dialer.DialContext(ctx, network, address)
	}
	return &getter{host: host, header: c.Header, left: maxBytes, client: &http.Client{
		Transport: &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: c.Roots, InsecureSkipVerify: c.Insecure}, //nolint:gosec // asked for
			ForceAttemptHTTP2: true, ResponseHeaderTimeout: 30 * time.Second, MaxResponseHeaderBytes: 256 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

var errElsewhere = errors.New("it is at another host, and a probe does not leave the page's")

// get asks for a URL of the host.
func (g *getter) get(ctx context.Context, u *url.URL, accept string) (*answer, error) {
	if !strings.EqualFold(u.Host, g.host) {
		return nil, errElsewhere
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "doorward-probe")
	req.Header.Set("Accept", accept)
	for name, values := range g.header {
		if name == "Host" {
			req.Host = values[0]
			continue
		}
		req.Header[name] = values
	}
	g.count++
	resp, err := g.client.Do(req)
	if err != nil {
		return nil, explain(err)
	}
	defer resp.Body.Close()
	a := &answer{url: u, status: resp.StatusCode, header: resp.Header}
	most := min(maxAnswer, g.left)
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, most+1))
	if int64(len(a.body)) > most {
		a.body, a.cut = a.body[:most], true
	}
	g.left -= int64(len(a.body))
	if err != nil && len(a.body) == 0 {
		return nil, fmt.Errorf("the answer breaks off: %w", err)
	}
	return a, nil
}

// explain says what to do about a failed connection.
func explain(err error) error {
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("%w; name the authority with --cacert FILE, or believe any with --insecure", err)
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("%w; name the server with --connect HOST:PORT, as in --connect 127.0.0.1:8443", err)
	}
	return err
}
