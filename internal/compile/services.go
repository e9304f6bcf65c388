package compile

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// service is a Service and where its endpoints can be read.
type service struct {
	item    object.Item[*corev1.Service]
	host    string                          // name.namespace.svc.cluster.local
	gateway bool                            // some Gateway selects it: requests to it go on in-process
	behind  []object.Item[*object.Workload] // that it selects; nil when nobody has looked

	slices   []object.Item[*discoveryv1.EndpointSlice]
	attached map[int32][]endpoint // by Service port
}

// clusterDomain ends the names of all Services.
const clusterDomain = "svc.cluster.local"

// readServices indexes the Services with their EndpointSlices and the local
// processes attached to them.
func (c *compiler) readServices() {
	for _, item := range c.set.Services.All() {
		c.services[name{item.Ref.Namespace, item.Ref.Name}] = &service{
			item: item, host: item.Ref.Name + "." + item.Ref.Namespace + "." + clusterDomain,
		}
	}
	for _, slice := range c.set.EndpointSlices.All() {
		if s := c.service(slice.Ref.Namespace, slice.Object.Labels[discoveryv1.LabelServiceName]); s != nil {
			s.slices = append(s.slices, slice)
		}
	}
	for _, a := range c.opts.Endpoints {
		c.attach(a)
	}
}

// service finds a Service; nil if there is none.
func (c *compiler) service(namespace, svc string) *service {
	return c.services[name{namespace, svc}]
}

// port finds a port by the Service's number for it; nil if there is none.
func (s *service) port(number int32) *corev1.ServicePort {
	ports := s.item.Object.Spec.Ports
	for i := range ports {
		if ports[i].Port == number {
			return &ports[i]
		}
	}
	return nil
}

// portRef finds a port by number or name; nil if there is none.
func (s *service) portRef(ref intstr.IntOrString) *corev1.ServicePort {
	if ref.Type == intstr.Int {
		return s.port(ref.IntVal)
	}
	ports := s.item.Object.Spec.Ports
	for i := range ports {
		if ports[i].Name == ref.StrVal && ref.StrVal != "" {
			return &ports[i]
		}
	}
	return nil
}

// portsText tells which ports there are, for messages: "80 (http), 443".
func (s *service) portsText() string {
	var parts []string
	for _, p := range s.item.Object.Spec.Ports {
		text := strconv.Itoa(int(p.Port))
		if p.Name != "" {
			text += " (" + p.Name + ")"
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "no port"
	}
	return strings.Join(parts, ", ")
}

// problem reports a mistake of the user's.
func (c *compiler) problem(code string, ref object.Ref, origin object.Origin, field, message, remedy string) {
	p := problem.New(code)
	c.problems = append(c.problems, place(p, ref, origin, field, message, remedy))
}

// problemAs is problem with another severity than the table's.
func (c *compiler) problemAs(severity problem.Severity, code string, ref object.Ref, origin object.Origin, field, message, remedy string) {
	p := problem.New(code)
	p.Severity = severity
	c.problems = append(c.problems, place(p, ref, origin, field, message, remedy))
}

func place(p problem.Problem, ref object.Ref, origin object.Origin, field, message, remedy string) problem.Problem {
	p.Object, p.File, p.Line = ref.String(), origin.File, origin.Line
	p.Field, p.Message, p.Remedy = field, message, remedy
	return p
}

// maxLooked bounds the names that messages look through in one Compile, so that
// thousands of mistakes among thousands of names do not take minutes. Mistakes
// beyond it are told without what there is instead.
const maxLooked = 200_000

// look tells whether a message may look through n more names.
func (c *compiler) look(n int) bool {
	c.looked += n
	return c.looked <= maxLooked
}

// nearest offers the known name nearest to want: `; did you mean "x"?`, or "".
func nearest(want string, have []string) string {
	if n, ok := problem.Nearest(want, have); ok {
		return "; did you mean " + strconv.Quote(n) + "?"
	}
	return ""
}

// serviceNames lists the Services of a namespace, for messages.
func (c *compiler) serviceNames(namespace string) []string {
	var names []string
	for _, item := range c.set.Services.In(namespace) {
		names = append(names, item.Ref.Name)
	}
	return names
}

// secretNames lists the Secrets of a namespace, for messages; none when messages
// have looked through enough names.
func (c *compiler) secretNames(namespace string) []string {
	secrets := c.set.Secrets.In(namespace)
	if !c.look(len(secrets)) {
		return nil
	}
	names := make([]string, len(secrets))
	for i := range secrets {
		names[i] = secrets[i].Ref.Name
	}
	return names
}

// some prints up to five of the names, for messages: `a, b`, or none.
func some(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	names = slices.Clone(names)
	slices.Sort(names)
	if more := len(names) - 5; more > 0 {
		return strings.Join(names[:5], ", ") + " and " + strconv.Itoa(more) + " more"
	}
	return strings.Join(names, ", ")
}
