package extauthz

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/doorward/doorward/internal/plan"
)

// The messages are few and do not change, so they are written and read by hand: the
// published module of them links a whole gRPC client (10 MB). The tests hold them to
// that module and to a real gRPC server.

// message is a protobuf message that is being written.
type message []byte

func (m *message) text(field protowire.Number, s string) {
	if s != "" {
		*m = protowire.AppendString(protowire.AppendTag(*m, field, protowire.BytesType), s)
	}
}

func (m *message) number(field protowire.Number, n uint64) {
	if n != 0 {
		*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), n)
	}
}

func (m *message) inner(field protowire.Number, inner message) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), inner)
}

// entry writes one entry of a map of texts.
func (m *message) entry(field protowire.Number, key, value string) {
	var e message
	e.text(1, key)
	e.text(2, value)
	m.inner(field, e)
}

// appendCheckRequest appends envoy.service.auth.v3.CheckRequest.
func appendCheckRequest(to []byte, p *plan.Provider, q *plan.Check, now time.Time) ([]byte, error) {
	body, err := httpRequest(p, q)
	if err != nil {
		return nil, err
	}
	var stamp, request, attributes message
	stamp.number(1, uint64(now.Unix()))
	stamp.number(2, uint64(now.Nanosecond()))
	request.inner(1, stamp)
	request.inner(2, body)
	r := q.Request
	attributes.inner(1, peer(r.Remote, 0, r.Source))
	identity := ""
	if r.Source != "" { // only then has the listener shown who it is
		identity = q.Identity
	}
	attributes.inner(2, peer(netip.Addr{}, r.LocalPort, identity))
	attributes.inner(4, request)
	m := message(to)
	m.inner(1, attributes)
	return m, nil
}

// peer is AttributeContext.Peer.
func peer(a netip.Addr, port int, identity string) message {
	var socket, address, m message
	if a.IsValid() {
		socket.text(2, a.String())
	}
	socket.number(3, uint64(port))
	address.inner(1, socket)
	m.inner(1, address)
	if identity != "" {
		m.text(4, "spiffe://"+identity)
	}
	return m
}

// httpRequest is AttributeContext.HttpRequest.
func httpRequest(p *plan.Provider, q *plan.Check) (message, error) {
	r := q.Request
	protocol := "HTTP/1.1"
	if r.Major == 2 {
		protocol = "HTTP/2"
	}
	var m message
	m.text(1, clean(r.Header.Value("x-request-id")))
	m.text(2, clean(q.Method))
	for _, pseudo := range [...][2]string{{":method", q.Method}, {":authority", q.Host}, {":path", q.Target}, {":scheme", r.Scheme}} {
		m.entry(3, pseudo[0], clean(pseudo[1]))
	}
	for _, f := range q.Header {
		m.entry(3, f.Name, clean(f.Value))
	}
	m.text(4, clean(q.Target))
	m.text(5, clean(q.Host))
	m.text(6, r.Scheme)
	m.number(9, uint64(len(q.Body)))
	m.text(10, protocol)
	switch {
	case p.PackAsBytes && len(q.Body) > 0:
		m.inner(12, q.Body)
	case !utf8.Valid(q.Body):
		return nil, fmt.Errorf("%w: the body is not UTF-8; set packAsBytes", errCheck)
	default:
		m.text(11, string(q.Body))
	}
	return m, nil
}

// clean makes s a text that protobuf takes: what is not UTF-8 becomes "!" (Envoy,
// sanitizeUtf8String).
func clean(s string) string { return strings.ToValidUTF8(s, "!") }
