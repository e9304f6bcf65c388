package upstream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// lookupTimeout bounds one round of resolving a cluster's names.
const lookupTimeout = 5 * time.Second

// name is an endpoint that is written as a name (ExternalName, ServiceEntry with
// resolution DNS): every address of it is an endpoint, as in Envoy's strict DNS.
type name struct {
	host, port string
	weight     uint32
	last       []netip.Addr // of the last resolution that worked
	err        error        // of the last one; nil when it worked
}

// resolvable tells whether there is something to look up: neither an address nor
// a mistake.
func (n *name) resolvable() bool {
	_, err := netip.ParseAddr(n.host)
	return err != nil && n.host != ""
}

// resolution is one round over a cluster's names.
type resolution struct {
	some func()        // there are addresses, or the round is over
	any  chan struct{} // closed by some
	done chan struct{} // closed when the round is over
	next int64         // when the next one is due
}

func newResolution() *resolution {
	r := &resolution{any: make(chan struct{}), done: make(chan struct{})}
	r.some = sync.OnceFunc(func() { close(r.any) })
	return r
}

// setNames takes over the names of a plan and returns the addresses that are
// known of them. c.mu is held.
func (c *Cluster) setNames(endpoints []plan.Endpoint) []address {
	old := c.names
	c.names = make([]*name, 0, len(endpoints))
	fresh := false
	for _, e := range endpoints {
		host, port, err := net.SplitHostPort(e.Address)
		var n *name
		if i := slices.IndexFunc(old, func(o *name) bool { return o.host == host && o.port == port }); i >= 0 {
			n = old[i]
		} else {
			n = &name{host: strings.Clone(host), port: strings.Clone(port), err: err}
			if ip, err := netip.ParseAddr(host); err == nil {
				n.last = []netip.Addr{ip}
			} else {
				fresh = fresh || n.resolvable()
			}
		}
		n.weight = max(e.Weight, 1)
		c.names = append(c.names, n)
	}
	if fresh {
		c.startLookup()
	}
	return c.addresses()
}

// addresses lists what the names have been resolved to. c.mu is held.
func (c *Cluster) addresses() []address {
	var list []address
	for _, n := range c.names {
		for _, ip := range n.last {
			list = append(list, address{net.JoinHostPort(ip.String(), n.port), n.weight})
		}
	}
	return list
}

// startLookup resolves the names in the background. c.mu is held.
func (c *Cluster) startLookup() {
	r := newResolution()
	names := slices.Clone(c.names)
	if !c.m.spawn(func() { c.resolve(r, names) }) {
		r.some()
		close(r.done)
	}
	r.next = c.m.now() + int64(c.m.options.ResolveEvery)
	c.lookup = r
}

// lookupIfDue resolves the names again when the time has come.
func (c *Cluster) lookupIfDue() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.names == nil || c.retired || c.lookup != nil && (!c.lookup.over() || c.m.now() < c.lookup.next) {
		return
	}
	c.startLookup()
}

func (r *resolution) over() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// resolve looks every name up once. Of a name that cannot be resolved the last
// good addresses stay.
func (c *Cluster) resolve(r *resolution, names []*name) {
	defer close(r.done)
	defer r.some()
	ctx, cancel := context.WithTimeout(c.m.ctx, lookupTimeout)
	defer cancel()
	var all sync.WaitGroup
	for _, n := range names {
		if n.resolvable() {
			all.Go(func() {
				if c.resolveName(ctx, n) {
					r.some()
				}
			})
		}
	}
	all.Wait()
}

// resolveName looks one name up; true when it has addresses.
func (c *Cluster) resolveName(ctx context.Context, n *name) bool {
	ips, err := c.m.options.Resolve(ctx, n.host)
	if err == nil && len(ips) == 0 {
		err = errors.New("no addresses")
	}
	c.mu.Lock()
	n.err = err
	if err != nil {
		c.mu.Unlock()
		return false
	}
	n.last = preferIPv4(ips)
	var left []*Endpoint
	if c.names != nil {
		s := *c.state.Load()
		left = c.apply(&s, c.addresses())
	}
	c.mu.Unlock()
	for _, e := range left {
		e.leave()
	}
	return true
}

// preferIPv4 returns the IPv4 addresses, or all when there are none, in a
// steady order.
func preferIPv4(ips []netip.Addr) []netip.Addr {
	var v4, v6 []netip.Addr
	for _, ip := range ips {
		if ip = ip.Unmap(); ip.Is4() {
			v4 = append(v4, ip)
		} else {
			v6 = append(v6, ip)
		}
	}
	if len(v4) == 0 {
		v4 = v6
	}
	slices.SortFunc(v4, netip.Addr.Compare)
	return slices.Compact(v4)
}

// resolveFirst waits for an address from the resolution under way; the error says why there is
// no address yet. When the last round has failed, another is tried at once, but
// no more than one a second.
func (c *Cluster) resolveFirst(ctx context.Context) error {
	c.mu.Lock()
	r := c.lookup
	if every := int64(c.m.options.ResolveEvery); r == nil || r.over() && c.m.now() >= r.next-every+int64(time.Second) {
		c.startLookup()
		r = c.lookup
	}
	c.mu.Unlock()
	select {
	case <-r.any:
	case <-ctx.Done():
		return c.unresolved(ctx.Err())
	}
	if len(c.state.Load().members) > 0 {
		return nil
	}
	return c.unresolved(nil)
}

// unresolved tells which name has no address and why.
func (c *Cluster) unresolved(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.names {
		if len(n.last) > 0 {
			continue
		}
		if err == nil {
			err = n.err
		}
		if err != nil {
			return &DialError{DNSFailed, n.host, c.name, err}
		}
	}
	return ErrNoneHealthy
}
