package server

import (
	"context"
	"net"
	"strings"
	"time"
)

// dial connects to issuers and login providers. *.localhost is this machine, whatever the
// system's resolver says (RFC 6761, section 6.3): a provider behind the own door is found by the
// name that browsers have for it.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(strings.ToLower(strings.TrimSuffix(host, ".")), ".localhost") {
		address = net.JoinHostPort("localhost", port)
	}
	return d.DialContext(ctx, network, address)
}
