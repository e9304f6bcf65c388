// Package compile turns the objects that users wrote into the plan.
//
// It is pure: the same objects in any order give the same plan and the same
// problems. It is total: a bad object becomes a route that answers with an
// error (fail closed) and a problem that says why; everything else keeps
// working. One file holds one subject:
//
//	mesh             MeshConfig: the settings of all gateways
//	services, endpoints, assumed, serviceentries, destinationrules → backends
//	workloads        which Pods, ports and Services a Gateway means
//	gateways         Gateway servers → listeners and chains
//	virtualservices  which hosts and rules a chain gets, in which order
//	delegates        rules of a root and its delegate in one
//	routes           a rule's conditions → routes
//	actions, filters what a route does → redirect, answer, destinations; edits
//	ingresses        classes, TLS, rules, annotations → the edge listener
//	guards           which security object is for which workload
//	requestauthentications → the tokens that a workload takes
//	apikeysets → the API keys that a workload takes
package compile

import (
	"crypto/tls"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// Options are what the command line adds to the manifests.
type Options struct {
	// IngressClasses are served without an IngressClass object.
	IngressClasses []string
	// UndeclaredClasses takes Ingresses of any class for served where no class is
	// declared at all: for those who judge a part of a platform.
	UndeclaredClasses bool
	// HTTPSPort is the port of the edge's TLS listener, for use-port-in-redirects;
	// 0 is 443.
	HTTPSPort int
	// Now is when certificates have to be valid; zero: that is not looked at.
	Now time.Time
	// Endpoints are local processes attached to Services.
	Endpoints []Attached
	// AssumePods takes Pods for ready that the set does not have: those that the
	// workloads would make, and, where a namespace has no workload, those that
	// Services select. It is for questions about files; such addresses are words.
	AssumePods bool
	// StandIn, where it is not nil, gives each key of an APIKeySet one more key: that
	// digest's. It is for tools that ask on behalf of a key which they do not have.
	StandIn func(namespace, set, key string) apikey.Digest
	// DefaultCertificate is what the edge shows where no Secret fits. Nil
	// refuses such handshakes.
	DefaultCertificate *tls.Certificate
}

// Attached is a local process as an endpoint of a Service port.
type Attached struct {
	Namespace, Service string
	// Port is the Service port's number or name.
	Port string
	// Address is HOST:PORT of the process.
	Address string
	// Labels are the pod labels that subsets select it by, beside the
	// Service's selector.
	Labels map[string]string
}

// Compile makes the plan of a set of objects, and says what is wrong with them.
func Compile(set *object.Set, opts Options) (*plan.Plan, problem.List) {
	c := &compiler{set: set, opts: opts, services: map[name]*service{}, listeners: map[string]*plan.Listener{},
		backends: map[string]*plan.Backend{}, doors: map[doorKey]*plan.Listener{}, found: map[destinationKey]found{}, hostServices: map[viewed]*hostService{}, regexes: map[string]match.Text{},
		providers: map[string]*extensionProvider{}, certificates: map[*tls.Certificate]plan.Origin{}}
	c.readMesh()
	c.readLoginProviders()
	c.readAuthorizationPolicies()
	c.readServices()
	c.readServiceEntries()
	c.readDestinationRules()
	c.readAuthentications()
	c.readAPIKeySets()
	c.readPeerAuthentications()
	c.readGateways()
	c.readVirtualServices()
	c.readIngresses()
	c.openDoors()
	c.readPolicies()
	c.findKeyHosts()
	c.findLoginHosts()
	c.lintDestinationRules()
	c.lintAPIKeySets()
	c.lintInjection()
	c.lintPeerAuthentications()
	c.lintWebhooks()
	c.lintLoginProviders()
	b := &plan.Builder{}
	for _, l := range c.listeners {
		b.Add(l)
	}
	for _, h := range c.unserved {
		b.Leave(h)
	}
	c.problems.Sort()
	return b.Build(), c.problems
}

// compiler is the state of one Compile.
type compiler struct {
	set          *object.Set
	opts         Options
	problems     problem.List
	mesh         mesh
	services     map[name]*service
	listeners    map[string]*plan.Listener // by key
	gateways     map[string]*gateway       // by NAMESPACE/NAME
	workloads    []*gatewayWorkload
	byGateway    map[string][]*virtualService // by Gateway, in Istio's order
	delegates    map[name]*virtualService
	unserved     []*plan.Host               // the rules of those that no gateway carries
	bound        map[built]bool             // the Gateway serves a host of the VirtualService, or it is told why not
	entries      map[string][]*serviceEntry // by host
	drs          ruleIndexes                // of DestinationRules
	hostServices map[viewed]*hostService
	found        map[destinationKey]found
	backends     map[string]*plan.Backend // by key
	regexes      map[string]match.Text
	providers    map[string]*extensionProvider // that policies name
	// Field paths that are the same in many objects: spec.http[1], .match[0], .route[0].
	fields, matchFields, routeFields []string

	authentications []*authentication // those of the root namespace first, then the oldest

	logins     map[name]*login
	apiKeySets apiKeySets

	looked int // names that messages have looked through

	peerAuth      peerAuthentications
	doors         map[doorKey]*plan.Listener
	selecting     map[string]bool // labels, by security objects
	unknownMutual []plan.Origin   // that ask for ISTIO_MUTUAL of who knows whom

	authorization map[string]*scopedPolicies // by namespace
	byAddress     bool                       // some policy asks for destination.ip
	policySets    map[string]plan.PolicySet  // by what is in them

	certificates map[*tls.Certificate]plan.Origin // of Secrets

	pods      labelled[object.Item[*corev1.Pod]]
	templates labelled[object.Item[*object.Workload]]
}

// name is a namespaced name.
type name struct{ namespace, name string }

func (n name) String() string { return n.namespace + "/" + n.name }
