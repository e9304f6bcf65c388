package upstream

import "time"

// maintain closes connections that have been idle for too long, resolves names
// again, and forgets retired clusters.
func (m *Manager) maintain() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-tick.C:
			m.sweep()
		}
	}
}

func (m *Manager) sweep() {
	now := m.now()
	for _, c := range *m.clusters.Load() {
		c.lookupIfDue()
		s := c.state.Load()
		timeout := int64(orDefault(s.pool.IdleTimeout, m.options.IdleTimeout))
		for _, member := range s.members {
			member.endpoint.expire(now-timeout, s.pool.MaxConnectionAge, now)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, c := range m.retired {
		if c.atRest() {
			delete(m.retired, id)
		}
	}
}

// expire closes the connections that have been at rest since before since, and
// those that are too old: of HTTP/2 when their last request is over. An HTTP/1.1
// connection rests from when it is first seen here: no request reads the clock for it.
func (e *Endpoint) expire(since int64, age time.Duration, now int64) {
	e.mu.Lock()
	var old []*Conn
	keep := e.idle[:0]
	for _, c := range e.idle {
		if c.since == 0 {
			c.since = now
		}
		if c.since < since || c.tooOld(age, now) {
			c.resting = false
			old = append(old, c)
		} else {
			keep = append(keep, c)
		}
	}
	clear(e.idle[len(keep):])
	e.idle = keep
	over := e.h2.unused(func(c *h2conn) bool { return c.since < since || c.tooOld(age, now) })
	for _, c := range e.h2.conns {
		if c.tooOld(age, now) {
			e.h2.retire(c)
		}
	}
	e.mu.Unlock()
	for _, c := range old {
		c.Close()
	}
	for _, c := range over {
		c.Close()
	}
}
