package plan

import (
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// Provider is an external authorizer (MeshConfig extensionProviders,
// envoyExtAuthzHttp and envoyExtAuthzGrpc).
type Provider struct {
	Name    string
	Origin  Origin
	Backend *Backend
	GRPC    bool
	// Host is the authority that checks are sent with over gRPC; HTTP checks keep the request's.
	Host       string
	PathPrefix string
	Timeout    time.Duration // 0: 600 s, Istio's default
	FailOpen   bool
	// StatusOnError is told when the authorizer gives no verdict; 403 by default.
	StatusOnError int
	// SendHeaders are the fields of the request that a check carries; AddHeaders are set on it.
	SendHeaders []match.Text
	AddHeaders  header.Fields
	// UpstreamOnAllow, DownstreamOnAllow and DownstreamOnDeny choose the fields of
	// the verdict that go on. DownstreamOnDeny nil is all of them.
	UpstreamOnAllow, DownstreamOnAllow, DownstreamOnDeny []match.Text
	// Body bounds how much of the request's body a check carries; 0 is none.
	Body        int
	PartialBody bool // a longer body is cut, otherwise it is 413
	PackAsBytes bool
}

// Check is the question to an external authorizer.
type Check struct {
	Method, Host, Target string
	Header               header.Fields
	Body                 []byte
}

// Verdict is the answer of an external authorizer.
type Verdict struct {
	// Err says that there is no verdict: no connection, no answer in time, a 5xx.
	Err     error
	Allowed bool
	Status  int
	Header  header.Fields // of the answer
	Body    string
	// Set, Append and Remove edit the request, with gRPC verdicts.
	Set, Append header.Fields
	Remove      []string
}

// Authorizer asks external authorizers. It is a part of World.
type Authorizer interface {
	// Ask sends a check and waits for the verdict, no longer than p.Timeout.
	Ask(p *Provider, c *Check) Verdict
}
