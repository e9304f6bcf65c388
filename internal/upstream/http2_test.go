package upstream

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/plan"
)

// h2server runs handler for HTTP/2: in plain text, or over TLS.
func h2server(t *testing.T, tls bool, handler http.HandlerFunc) *httptest.Server {
	s := httptest.NewUnstartedServer(handler)
	s.Config.Protocols = new(http.Protocols)
	if tls {
		s.EnableHTTP2 = true
		s.Config.Protocols.SetHTTP2(true)
		s.StartTLS()
	} else {
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// h2backend is a backend of s, whose certificate is verified.
func h2backend(s *httptest.Server) *plan.Backend {
	b := backend("h2", s.Listener.Addr().String())
	b.Protocol = plan.HTTP2
	if s.TLS != nil {
		b.TLS = &plan.UpstreamTLS{Name: "example.com", Verify: true, Roots: rootsOf(s), Digest: "d"}
	}
	return b
}

func request(t *testing.T, ctx context.Context, method string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, "http://app.example/path?q=1", body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// echo sends the request's body back as it comes, and its trailer as a trailer.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "Sum")
	w.Header().Set("Seen", r.Method+" "+r.Host+" "+r.RequestURI+" "+r.UserAgent()+"|"+r.Header.Get("Accept-Encoding"))
	w.WriteHeader(200)
	http.NewResponseController(w).Flush()
	buf := make([]byte, 1024)
	for {
		n, err := r.Body.Read(buf)
		w.Write(buf[:n])
		http.NewResponseController(w).Flush()
		if err != nil {
			break
		}
	}
	w.Header().Set("Sum", r.Trailer.Get("Sum")+"!")
}

func TestHTTP2StreamsBothWaysWithTrailers(t *testing.T) {
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			s := h2server(t, tls, echo)
			m := newManager(t, Options{})
			e := endpointOf(t, m, h2backend(s))
			r, w := io.Pipe()
			req := request(t, t.Context(), "POST", r)
			req.Trailer = http.Header{"Sum": nil}
			resp, err := e.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got, want := resp.Header.Get("Seen"), "POST app.example /path?q=1 |"; got != want {
				t.Errorf("the upstream saw %q, want %q", got, want)
			}
			buf := make([]byte, 5)
			for _, piece := range []string{"first", "other"} {
				io.WriteString(w, piece)
				if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != piece {
					t.Fatalf("echo: got %q, %v, want %q", buf, err, piece)
				}
			}
			req.Trailer.Set("Sum", "ten")
			w.Close()
			if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
				t.Errorf("end of the body: got %q, %v", rest, err)
			}
			if got := resp.Trailer.Get("Sum"); got != "ten!" {
				t.Errorf("trailer: got %q, want %q", got, "ten!")
			}
		})
	}
}

func TestHTTP2WithoutALPNFails(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler()) // HTTP/1.1 only
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	m := newManager(t, Options{})
	e := endpointOf(t, m, h2backend(s))
	_, err := e.RoundTrip(request(t, t.Context(), "GET", nil))
	var dial *DialError
	if !errors.As(err, &dial) || dial.Reason != TLSFailed || !strings.Contains(err.Error(), "HTTP/2") {
		t.Errorf("got %v, want a DialError that tells of HTTP/2", err)
	}
}
