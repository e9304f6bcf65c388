package upstream

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

func TestKeepAliveSettings(t *testing.T) {
	options := []int{syscall.TCP_KEEPIDLE, syscall.TCP_KEEPINTVL, syscall.TCP_KEEPCNT}
	for _, test := range []struct {
		rule plan.KeepAlive
		want []int // time and interval in seconds, probes; the rest is the system's
	}{
		{plan.KeepAlive{Time: 7 * time.Second, Interval: 3 * time.Second, Probes: 4}, []int{7, 3, 4}},
		{plan.KeepAlive{Time: 11 * time.Second}, []int{11}},
	} {
		b := backend("a", answering(t))
		b.Pool.KeepAlive = &test.rule
		c := conn(t, endpointOf(t, newManager(t, Options{}), b), Want{})
		raw, err := c.NetConn().(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) {
			for i, want := range test.want {
				if got, _ := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, options[i]); got != want {
					t.Errorf("keep-alive %+v, option %d: got %d, want %d", test.rule, i, got, want)
				}
			}
		})
		c.Close()
	}
}
