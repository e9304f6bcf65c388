// Package upstream owns what outlives plans on the way to the applications:
// resolved endpoints, whose turn it is, who is ejected, connections, and the
// counters of all that.
//
// A [Manager] keeps one [Cluster] for each backend of the plan in force, found
// by the backend's key and TLS digest. [Manager.Sync] tells it of a new plan;
// what stays the same keeps its connections, health and counters, and what no
// plan names any more finishes its exchanges and closes. Nothing here refers
// to a plan once Sync has returned.
//
// An exchange is
//
//	cl := m.Cluster(backend)
//	if err := cl.Acquire(); err != nil { 503 } // ErrOverflow
//	defer cl.Release()
//	e, err := cl.Pick(ctx, hash, hashed, tried) // ErrNoneHealthy
//	e.Begin()
//	c, err := e.Conn(ctx, upstream.Want{})      // *DialError, ErrOverflow
//	... c.Begin, c.Write, c.End, c.ReadResponse, c.Body ...
//	e.Put(c)                                    // or c.Close()
//	e.Done(upstream.Result(status))             // or ConnectFailed, TimedOut ...
//
// and over HTTP/2 e.RoundTrip(req) stands in place of Conn and Put; the body of
// its response must be closed. Of an endpoint that speaks what the client does
// (SameAsClient) both may be asked for.
package upstream
