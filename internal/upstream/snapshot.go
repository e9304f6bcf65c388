package upstream

import (
	"cmp"
	"slices"
)

// ClusterStats are the counters of a cluster.
type ClusterStats struct {
	Key, Name       string
	Active, Retries int64 // under way
	Pending         int64 // waiting for a connection
	Connections     int64 // open and being made
	Requests        uint64
	Overflows       uint64 // refused by a bound of the pool
	Ejections       uint64
	Endpoints       []EndpointStats // in the plan's order
}

// EndpointStats are the counters of an endpoint.
type EndpointStats struct {
	Address       string
	Healthy       bool  // not ejected
	Active        int64 // exchanges under way
	Connections   int64 // open, idle ones included
	Idle          int64
	Requests      uint64
	Opened        uint64 // connections made
	ConnectErrors uint64
	Reused        uint64 // requests on a connection used before
	Ejections     uint64
}

// Snapshot returns the counters of all clusters of the plan in force, by key.
func (m *Manager) Snapshot() []ClusterStats {
	clusters := *m.clusters.Load()
	all := make([]ClusterStats, 0, len(clusters))
	now := m.now()
	for _, c := range clusters {
		all = append(all, c.stats(now))
	}
	slices.SortFunc(all, func(a, b ClusterStats) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Requests, b.Requests))
	})
	return all
}

func (c *Cluster) stats(now int64) ClusterStats {
	s := ClusterStats{
		Key: c.id.key, Name: c.name,
		Active: c.active.n.Load(), Retries: c.retries.n.Load(),
		Pending: c.pending.n.Load(), Connections: c.conns.n.Load(),
		Requests: c.requests.Load(), Overflows: c.overflows.Load(), Ejections: c.ejections.Load(),
	}
	for _, m := range c.state.Load().members {
		s.Endpoints = append(s.Endpoints, m.endpoint.stats(now))
	}
	return s
}

func (e *Endpoint) stats(now int64) EndpointStats {
	s := EndpointStats{
		Address: e.address, Healthy: e.health.until.Load() <= now,
		Active: e.active.Load(), Requests: e.requests.Load(),
		Opened: e.opened.Load(), ConnectErrors: e.failed.Load(), Reused: e.reused.Load(),
		Ejections: e.health.ejections.Load(),
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s.Connections, s.Idle = int64(e.open+e.h2.open), int64(len(e.idle))
	for _, c := range e.h2.conns {
		if c.active == 0 {
			s.Idle++
		}
	}
	return s
}
