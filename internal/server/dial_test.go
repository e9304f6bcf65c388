package server

import (
	"net"
	"testing"
)

func TestDialKnowsLocalhost(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"cluster.localhost", "a.b.LOCALHOST.", "localhost", "127.0.0.1"} {
		c, err := dial(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		c.Close()
	}
	if c, err := dial(t.Context(), "tcp", "cluster.notlocalhost:"+port); err == nil {
		c.Close()
		t.Error("cluster.notlocalhost is this machine")
	}
}
