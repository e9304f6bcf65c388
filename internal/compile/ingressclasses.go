package compile

import (
	"cmp"
	"slices"
	"strconv"

	netv1 "k8s.io/api/networking/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// classAnnotation names a class in the way of old, and defaultClassAnnotation
// marks the IngressClass of Ingresses that name none.
const (
	classAnnotation        = "kubernetes.io/ingress.class"
	defaultClassAnnotation = "ingressclass.kubernetes.io/is-default-class"
)

// classes are the ingress classes by what becomes of their Ingresses.
type classes struct {
	served  map[string]bool
	foreign map[string]bool // of another controller
	names   []string        // of all served
	// standard is the class that the API server writes into an Ingress that
	// names none: the youngest IngressClass marked so, by name of one age.
	standard string
}

// readClasses reads the IngressClasses: those of ingress-nginx and of Doorward
// are served, and the names of the command line that no other controller has.
func (c *compiler) readClasses() classes {
	x := classes{served: map[string]bool{}, foreign: map[string]bool{}}
	var standard []object.Item[*netv1.IngressClass]
	for _, item := range c.set.IngressClasses.All() {
		switch item.Object.Spec.Controller {
		case "k8s.io/ingress-nginx", "doorward.dev/ingress":
			x.served[item.Ref.Name] = true
		default:
			x.foreign[item.Ref.Name] = true
		}
		if item.Object.Annotations[defaultClassAnnotation] == "true" {
			standard = append(standard, item)
		}
	}
	for _, n := range c.opts.IngressClasses {
		if !x.foreign[n] {
			x.served[n] = true
		}
	}
	if len(standard) > 0 {
		slices.SortStableFunc(standard, func(a, b object.Item[*netv1.IngressClass]) int {
			return cmp.Or(b.Object.CreationTimestamp.Compare(a.Object.CreationTimestamp.Time), cmp.Compare(a.Ref.Name, b.Ref.Name))
		})
		x.standard = standard[0].Ref.Name
	}
	x.names = sortedKeys(x.served)
	return x
}

// serves tells whether the edge serves an Ingress. The field decides; only
// without it the annotation counts, and it must say "nginx" or a name of the
// command line (ingress-nginx, store GetIngressClass).
func (c *compiler) serves(x classes, item object.Item[*netv1.Ingress]) bool {
	remedy := "set spec.ingressClassName to " + some(x.names, "an IngressClass with controller k8s.io/ingress-nginx")
	annotation := item.Object.Annotations[classAnnotation]
	field := "metadata.annotations[" + classAnnotation + "]"
	switch class := item.Object.Spec.IngressClassName; {
	case class != nil:
		if !x.served[*class] && !x.foreign[*class] {
			c.classNotFound(x, item, *class)
			return c.opts.UndeclaredClasses && len(x.served)+len(x.foreign) == 0
		}
		return x.served[*class]
	case annotation == "nginx" || annotation != "" && slices.Contains(c.opts.IngressClasses, annotation):
		c.problem(problem.IngressClassDeprecated, item.Ref, item.Origin, field,
			"the annotation is deprecated since Kubernetes 1.18", remedy)
		return true
	case annotation != "":
		severity := problem.Info
		if x.served[annotation] || nearest(annotation, []string{"nginx"}) != "" {
			severity = problem.Warning
		}
		c.problemAs(severity, problem.IngressClassNotFound, item.Ref, item.Origin, field,
			"the annotation says "+strconv.Quote(annotation)+`, and only "nginx" counts there; the Ingress is ignored`, remedy)
		return false
	case x.standard != "":
		return x.served[x.standard]
	}
	c.problem(problem.IngressClassMissing, item.Ref, item.Origin, "spec.ingressClassName",
		"the Ingress names no class and no IngressClass is the default; it is ignored", remedy)
	return false
}

// classNotFound reports an Ingress of a class that nothing declares. Where no
// class is declared at all the object is taken to be kept elsewhere, as platforms
// do: that is no mistake of these files. Serve ignores the Ingress all the same,
// questions about files take it for served (Options.UndeclaredClasses).
func (c *compiler) classNotFound(x classes, item object.Item[*netv1.Ingress], class string) {
	severity, remedy, becomes := problem.Warning, "set spec.ingressClassName to "+some(x.names, "a class of these files"), "is ignored"
	if len(x.served)+len(x.foreign) == 0 {
		severity, remedy = problem.Info, "serve it with --ingress-class "+class+", or add its IngressClass to the files"
		if c.opts.UndeclaredClasses {
			becomes = "is taken for served here, and serve ignores it"
		}
	}
	c.problemAs(severity, problem.IngressClassNotFound, item.Ref, item.Origin, "spec.ingressClassName",
		"there is no IngressClass "+strconv.Quote(class)+"; served are "+some(x.names, "none")+nearest(class, x.names)+"; the Ingress "+becomes, remedy)
}
