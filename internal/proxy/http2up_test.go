package proxy

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/doorward/doorward/internal/plan"
)

// An upstream that ends its connection with GOAWAY just as a request comes has
// not looked at it: the request goes out on another connection, whatever its
// method and the policy.
func TestGoAwayCostsNoRequest(t *testing.T) {
	var conns atomic.Int64
	up := rude(t, func(nc net.Conn) {
		conns.Add(1)
		io.ReadFull(nc, make([]byte, len(http2.ClientPreface)))
		f := http2.NewFramer(nc, nc)
		f.WriteSettings()
		for streams := 0; ; {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if !frame.Header().Flags.Has(http2.FlagDataEndStream) || frame.Header().StreamID == 0 {
				continue
			}
			if streams++; streams == 2 {
				f.WriteGoAway(1, http2.ErrCodeNo, nil)
				return
			}
			var b bytes.Buffer
			hpack.NewEncoder(&b).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: frame.Header().StreamID, BlockFragment: b.Bytes(), EndHeaders: true, EndStream: true})
		}
	})
	b := backend("up", up)
	b.Protocol = plan.HTTP2
	r := newRig(t, gatewayKey, nil, gateway(to(b)))
	for i := range 4 {
		if resp, body := r.do(r.request("POST", "/", nil)); resp.StatusCode != 200 {
			t.Errorf("request %d: got %d %q", i, resp.StatusCode, body)
		}
	}
	if n := conns.Load(); n < 3 {
		t.Errorf("%d connections: none was closed", n)
	}
}
