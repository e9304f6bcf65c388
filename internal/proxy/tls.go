package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/http1"
)

// errNoServer refuses a handshake: the client is told "unrecognized name".
var errNoServer = errors.New("no server of the listener takes this name")

// tlsConfig is what the handshakes of one socket share, session tickets' keys
// included. It asks the plan in force for the certificate of each handshake. A
// resumed session asks for none, but its requests are walked by the plan in
// force like all others.
func (p *Proxy) tlsConfig(key string) *tls.Config {
	t := &tls.Config{
		MinVersion: tls.VersionTLS12,
		// A client that offers nothing of this list is refused by the library; NGINX has http/1.0, too.
		NextProtos:                  []string{"h2", "http/1.1", "http/1.0"},
		DynamicRecordSizingDisabled: true,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			l := p.o.Plan().Listener(key)
			if l == nil {
				return nil, errNoServer
			}
			cert := l.CertificateFor(hello.ServerName)
			if cert == nil {
				return nil, errNoServer
			}
			return cert, nil
		},
	}
	t.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		l := p.o.Plan().Listener(key)
		if l == nil {
			return nil, errNoServer
		}
		limits := l.LimitsFor(hello.ServerName)
		if limits.Open() {
			return nil, nil // t itself
		}
		own := t.Clone()
		own.GetConfigForClient = nil
		own.MinVersion, own.MaxVersion, own.CipherSuites = max(own.MinVersion, limits.Min), limits.Max, limits.Ciphers
		return own, nil
	}
	return t
}

// handshake makes c a TLS connection, within the time for a head. It tells
// whether the client wants HTTP/2.
func (c *conn) handshake(t *tls.Config) (http2, ok bool) {
	tc := tls.Server(http1.Direct(c.nc), t)
	ctx := context.Context(c.ctx)
	if limit := c.p.o.Timeouts.Header; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, time.Now().Add(limit))
		defer cancel()
	}
	if err := tc.HandshakeContext(ctx); err != nil {
		c.p.o.Log.Debug("TLS handshake failed", "listener", c.key, "client", c.remote, "error", err)
		c.plainText(err)
		return false, false
	}
	state := tc.ConnectionState()
	c.wire, c.secure = tc, true
	c.sni = strings.ToLower(strings.TrimSuffix(state.ServerName, "."))
	return state.NegotiatedProtocol == "h2", true
}

// plainText answers, at the edge, a client that speaks HTTP in plain text to a port of
// TLS; whatever else begins no handshake hears nothing.
func (c *conn) plainText(err error) {
	re, ok := errors.AsType[tls.RecordHeaderError](err)
	l := c.p.o.Plan().Listener(c.key)
	if !ok || re.Conn == nil || re.RecordHeader[0] < 'A' || re.RecordHeader[0] > 'Z' || l == nil {
		return
	}
	r, ok := l.PlainToTLS()
	if !ok {
		return
	}
	_ = c.nc.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprintf(c.nc, "HTTP/1.1 %d Bad Request\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		r.Status, time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"), r.Header.Value("content-type"), len(r.Body), r.Body)
	// What is left unread would reset the connection, and the answer with it.
	if t, ok := c.nc.(*net.TCPConn); ok && t.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, t, 64<<10)
	}
}
