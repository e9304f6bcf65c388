// Package scenario runs manifests against request lines and tells whether the
// outcomes are the expected ones.
//
// A scenario is one text archive (the txtar form): requests with what is
// expected of them, then the manifests they are asked of.
//
//	# The guide's route: the prefix is stripped, the application is told.
//	GET https://cluster.example.com/myapp/x?y=1
//	  -> myapp/myapp-service:80 GET /x?y=1
//	  got x-forwarded-prefix: /myapp
//
//	GET https://cluster.example.com/myapp -> 301 http://cluster.example.com/myapp/
//
//	via istio-system/istio-ingressgateway:80
//	GET http://cluster.example.com/nothing -> 404
//	-- manifests.yaml --
//	...
//
// Lines that begin with "#" are comments. Lines at the left margin are requests
// or settings for the requests that follow; indented lines belong to the
// request above them.
//
//	via LISTENER               where requests come in: "edge" (the default), or a
//	                           gateway's Service port as NAMESPACE/SERVICE:PORT
//	up NAMESPACE/SERVICE:PORT [label=value ...]
//	                           the Service has one more ready endpoint, whose pod
//	                           has these labels beside the Service's selector
//	class NAME                 an ingress class that needs no IngressClass object
//	manifests PATH             a file or directory of manifests, from the archive's
//	                           directory on, beside those inside
//	kustomization PATH         the same for a kustomization
//
//	token NAME [FLAW] CLAIMS   a token with these claims (JSON; exp, nbf and iat may
//	                           be relative to the clock: "+1h"), signed with the key
//	                           whose public set is ${jwks} in manifests. The lines
//	                           after it may hold ${token.NAME} and its middle part,
//	                           ${token.NAME.payload}. FLAW is one of other-key,
//	                           other-kid, no-kid, tampered, none, hs256-public, crit
//
//	authorizer NAMESPACE/SERVICE:PORT
//	                           the Service's one endpoint is an external authorizer
//	                           (over HTTP); the lines below it are its replies, of
//	                           which the first that fits is given, otherwise 403
//	  reply STATUS [TEXT]      a reply; the lines below it say to which checks it is
//	                           given, and with what
//	  to path PREFIX           the check's target begins so
//	  to body SIZE             the check's body has so many bytes
//	  to NAME: VALUE           the check has this header
//	  to no NAME               the check does not have it
//	  with NAME: VALUE         a header of the reply
//	each                       the indented lines under it belong to every request
//	                           from here on, until the next each
//
//	METHOD URL [-> OUTCOME]    a request; the URL's scheme says whether it comes
//	                           over TLS, its host and port are the Host header
//	  send NAME: VALUE         a header of the request; may be repeated
//	  send body SIZE           a body of SIZE bytes (k and m are known)
//	  send chunked SIZE        the same without an announced length
//	  host HOST                the Host header, where it differs from the URL
//	  chance NUMBER            what the dice show, from 0 to 1 (weights, percentages)
//	  -> OUTCOME               NAMESPACE/SERVICE:PORT[/SUBSET] METHOD TARGET, as
//	                           the upstream gets it; or STATUS [LOCATION or TEXT]
//	  got NAME: VALUE          a header as the upstream gets it
//	  got no NAME
//	  answer NAME: VALUE       a header of the answer
//	  answer no NAME
//	  delay DURATION           the answer is held back so long (an injected fault)
//	  because TEXT             the reason contains TEXT
//
// The same file runs in two ways, which must agree: by the walk alone (Run),
// and over real sockets (package stage).
package scenario

import (
	"net/netip"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/plan"
)

// Scenario is one archive, read.
type Scenario struct {
	Name    string // the file
	About   string // the comment on top
	Ups     []Up
	Classes []string
	// Authorizers are endpoints, too, beside Ups.
	Authorizers []Authorizer
	// Manifests and Kustomizations are paths, from the archive's directory on.
	Manifests, Kustomizations []string

	Requests []Request
	Files    []File
}

// File is one manifest of the archive.
type File struct {
	Name string
	Line int // of the archive on which Data begins
	Data []byte
}

// Up is an endpoint that a Service has.
type Up struct {
	Namespace, Service, Port string
	Labels                   map[string]string
}

// Request is one request and what is expected of it.
type Request struct {
	Line    int // in the archive
	Via     string
	Method  string
	Secure  bool
	Host    string // the Host header
	SNI     string // the URL's host
	Target  string
	Header  header.Fields
	Body    int64
	Chunked bool
	Chance  float64
	From    netip.Addr // the client; the zero address is 127.0.0.1

	Want     string // the outcome's text form; "" takes any
	WantLine int    // of the outcome, for rewriting
	Checks   []Check
}

// Check is one further expectation.
type Check struct {
	Line  int
	Kind  string // got, answer, delay, because; of test files also status, backend, method, path, host, decidedBy
	No    bool   // of got and answer: there is no such header
	Name  string // of the header
	Value string
}

// Outcome is what became of a request, however it was run.
type Outcome struct {
	// Backend is NAMESPACE/SERVICE:PORT[/SUBSET] of a forwarded request, ""
	// for one that Doorward answers itself.
	Backend string
	Method  string
	Target  string
	Host    string
	Got     header.Fields // the request that the upstream gets
	Closed  bool          // the connection ends without an answer
	Status  int
	Body    string
	Answer  header.Fields
	Delay   time.Duration
	// Reason and By say why, and by which rule; "" and nil where it is not known (over
	// sockets).
	Reason string
	By     *plan.Origin
}
