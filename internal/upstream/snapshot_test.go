package upstream

import (
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

func TestSnapshotTellsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{}
		m := newManager(t, Options{Dial: p.dial})
		b := backend("outbound|80||app", "10.0.0.1:80", "10.0.0.2:80")
		b.Service, b.Port = object.Ref{Kind: "Service", Namespace: "shop", Name: "app"}, 80
		b.Balance, b.Pool.MaxRetries = plan.RoundRobin, 1
		b.Outlier = &plan.Outlier{Consecutive5xx: 1, MaxEjectionPercent: 50}
		m.Sync(planOf(backend("z"), b))
		c := m.Cluster(b)
		c.Acquire()
		c.AcquireRetry()
		c.AcquireRetry() // one too many
		e := pick(t, c)
		e.Begin()
		busy := conn(t, e, Want{})
		idle := conn(t, e, Want{})
		get(t, idle)
		e.Put(idle)
		get(t, conn(t, e, Want{}))
		e.Put(idle)
		p.refuse.Store(true)
		other := pick(t, c)
		other.Begin()
		other.Conn(t.Context(), Want{})
		other.Done(ConnectFailed)
		want := []ClusterStats{
			{
				Key: "outbound|80||app", Name: "Service shop/app:80",
				Active: 1, Retries: 1, Connections: 2, Requests: 2, Overflows: 1, Ejections: 1,
				Endpoints: []EndpointStats{
					{Address: "10.0.0.1:80", Healthy: true, Active: 1, Connections: 2, Idle: 1, Requests: 1, Opened: 2, Reused: 1},
					{Address: "10.0.0.2:80", Requests: 1, ConnectErrors: 1, Ejections: 1},
				},
			},
			{Key: "z", Name: "z"},
		}
		if got := m.Snapshot(); !reflect.DeepEqual(got, want) {
			t.Errorf("Snapshot:\n got %+v\nwant %+v", got, want)
		}
		busy.Close()
	})
}
