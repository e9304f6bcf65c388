package source

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	securityv1 "istio.io/client-go/pkg/apis/security/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// reader decodes what is read, one piece after the other.
type reader struct {
	catalogue *catalogue
	types     *types
	*piece
}

func newReader() *reader {
	return &reader{newCatalogue(), newTypes(), new(piece)}
}

func (r *reader) report(p problem.Problem) { r.problems = append(r.problems, p) }

// readText reads the documents of a file. Of a file that the user did not
// name, a document that is no Kubernetes object is of no great interest.
func (r *reader) readText(file string, line int, data []byte, named bool) {
	for doc := range documents(line, data) {
		r.readDocument(file, doc, named)
	}
}

func (r *reader) readDocument(file string, doc document, named bool) {
	h := scan(doc.text)
	if h.plain && !strings.HasSuffix(h.kind, "List") {
		if _, ok := r.catalogue.find(h.apiVersion, h.kind); !ok && r.strange(h, object.Origin{File: file, Line: firstLine(doc)}) {
			return
		}
	}
	root, err := doc.parse()
	if err != nil {
		r.invalid(file, doc, h, err)
		return
	}
	if root == nil {
		return
	}
	place := func(n *yaml.Node, _ string) (string, int) { return file, doc.line + n.Line - 1 }
	r.readRoot(root, place, named, len(doc.text))
}

// strange reads an object of a kind that is not read from its header alone,
// unless there is something to say about it and its name is not known yet.
func (r *reader) strange(h header, at object.Origin) bool {
	if _, wrong := r.catalogue.stranger(h.apiVersion, h.kind); wrong && h.name == "" {
		return false
	}
	r.readStranger(h, at)
	return true
}

// firstLine is the line of the first entry of a document.
func firstLine(doc document) int {
	line := doc.line
	for text := range bytes.Lines(doc.text) {
		if !isBlank(text) && !isSeparator(text) {
			return line
		}
		line++
	}
	return doc.line
}

// invalid reports a document that is not YAML.
func (r *reader) invalid(file string, doc document, h header, err error) {
	p := problem.New(problem.DocumentInvalid)
	p.File, p.Line = file, doc.line
	if se, ok := errors.AsType[*syntaxError](err); ok && se.line > 0 {
		p.Line = se.line
	}
	p.Object = r.nameOf(h, object.Origin{File: file, Line: doc.line})
	p.Message = "the document is left out, it is not YAML: " + err.Error()
	p.Remedy = "look at the indentation, colons and quotes of this line and the one before"
	if bytes.Contains(doc.text, []byte("{{")) {
		p.Remedy = "this looks like a template; render it first (helm template) and give the result"
	}
	r.report(p)
	if !h.plain || h.name == "" {
		return
	}
	var closes any
	switch meta := (metav1.ObjectMeta{Namespace: h.namespace, Name: h.name}); h.kind {
	case "AuthorizationPolicy":
		closes = &securityv1.AuthorizationPolicy{ObjectMeta: meta}
	case "RequestAuthentication":
		closes = &securityv1.RequestAuthentication{ObjectMeta: meta}
	}
	// What it closes stays closed.
	at := object.Origin{File: file, Line: firstLine(doc)}
	if closes != nil {
		r.found = append(r.found, found{closes, at, h.namespace == "", []string{"spec"}, true})
	}
}

// nameOf names an object by what its header says, or else by its place.
func (r *reader) nameOf(h header, at object.Origin) string {
	if h.kind == "" || h.name == "" {
		return "Document " + at.String()
	}
	ref := object.Ref{Kind: h.kind, Namespace: h.namespace, Name: h.name}
	group, _ := splitVersion(h.apiVersion)
	if i, ok := r.catalogue.byName[qualified(h.kind, group)]; ok && r.catalogue.read[i].global {
		ref.Namespace = ""
	} else if ref.Namespace == "" {
		ref.Namespace = object.DefaultNamespace
	}
	return ref.String()
}

// placer tells where a node, or the field it was found at, is written.
type placer func(n *yaml.Node, field string) (file string, line int)

// readRoot reads the object of a document of so many bytes, or the objects of
// a list.
func (r *reader) readRoot(root *yaml.Node, place placer, named bool, size int) {
	budget := size + spareNodes
	h := headerOf(follow(root))
	items, ok := listItems(root, h)
	if !ok {
		r.readNode(root, place, named, &budget)
	}
	for _, item := range items {
		r.readNode(item, place, true, &budget)
	}
}

// readNode reads one object. The budget bounds what aliases can make of a
// document.
func (r *reader) readNode(root *yaml.Node, place placer, named bool, budget *int) {
	file, line := place(root, "")
	at := object.Origin{File: file, Line: line}
	root = follow(root)
	if root == nil || root.Kind != yaml.MappingNode {
		if root != nil && isNothing(root) {
			return
		}
		r.noObject(at, named, "")
		return
	}
	h := headerOf(root)
	if _, isList := listItems(root, h); isList {
		r.noObject(at, true, "")
		r.problems[len(r.problems)-1].Message += " but a list inside of a list"
		return
	}
	if h.kind == "" || h.apiVersion == "" {
		r.headless(root, h, at, named)
		return
	}
	k, ok := r.catalogue.find(h.apiVersion, h.kind)
	if !ok {
		r.readStranger(h, at)
		return
	}
	r.readObject(root, k, h, at, place, budget)
}

// readStranger counts an object of a kind that is not read, and says so if
// somebody seems to expect otherwise.
func (r *reader) readStranger(h header, at object.Origin) {
	r.documents++
	group, _ := splitVersion(h.apiVersion)
	p, wrong := r.catalogue.stranger(h.apiVersion, h.kind)
	if !wrong || p.Code == problem.NotCarriedOut {
		r.others = append(r.others, qualified(h.kind, group))
	}
	if wrong {
		p.Object, p.File, p.Line = r.nameOf(h, at), at.File, at.Line
		if p.Field == "" && p.Code == problem.APIVersion {
			p.Field = "apiVersion"
		}
		r.report(p)
	}
}

// headless reports a mapping that lacks what makes it an object.
func (r *reader) headless(root *yaml.Node, h header, at object.Origin, named bool) {
	if h.kind == "" && h.apiVersion == "" && !named {
		r.noObject(at, false, "")
		return
	}
	missing := "apiVersion"
	if h.kind == "" {
		missing = "kind"
	}
	var keys []string
	for i := 0; i+1 < len(root.Content); i += 2 {
		keys = append(keys, root.Content[i].Value)
	}
	near, _ := problem.Nearest(missing, keys)
	r.noObject(at, true, missing)
	if near != "" {
		last := &r.problems[len(r.problems)-1]
		last.Message += "; there is " + near
		last.Remedy = fmt.Sprintf("write %s instead of %s", missing, near)
	}
}

// noObject reports a document that is no Kubernetes object.
func (r *reader) noObject(at object.Origin, named bool, missing string) {
	p := problem.New(problem.DocumentInvalid)
	p.Object, p.File, p.Line = "Document "+at.String(), at.File, at.Line
	p.Message = "the document is left out, it is no Kubernetes object"
	p.Remedy = "give it apiVersion, kind and metadata.name, or take it out"
	if missing != "" {
		p.Message += ": it has no " + missing
	}
	if !named {
		p.Severity = problem.Info
	}
	r.report(p)
}

// readObject decodes an object and adds it to the set.
func (r *reader) readObject(root *yaml.Node, k kind, h header, at object.Origin, place placer, budget *int) {
	r.documents++
	out := k.make()
	d := decoder{types: r.types, place: place, object: r.nameOf(h, at), budget: budget, quiet: k.part()}
	ok := d.decode(root, out)
	if ok && h.name == "" {
		ok = false
		p := problem.New(problem.DocumentInvalid)
		p.Object, p.File, p.Line, p.Field = d.object, at.File, at.Line, "metadata.name"
		p.Message = h.kind + " without metadata.name; the API server refuses it"
		p.Remedy = "name it"
		r.report(p)
	}
	// A policy that is left out would leave a door open: it is kept, with a note of
	// what cannot be read of it.
	var unread []string
	secures := (k.group == "security.istio.io" || k.group == "doorward.dev") && h.name != ""
	keep := ok || secures && (k.name == "AuthorizationPolicy" || k.name == "APIKeySet" || k.name == "RequestAuthentication")
	for _, p := range d.problems {
		if !strings.HasSuffix(k.group, ".istio.io") {
			p.Istio = ""
		}
		if secures && p.Severity == problem.Error && (!ok || k.name != "RequestAuthentication") {
			unread = append(unread, p.Field)
		}
		r.report(p)
	}
	if !keep {
		return
	}
	if secret, isSecret := out.(*corev1.Secret); isSecret {
		mergeStringData(secret)
	}
	r.found = append(r.found, found{out, at, out.(metav1.Object).GetNamespace() == "", unread, false})
}

// mergeStringData puts the plain values of a Secret among the others, as the
// API server does.
func mergeStringData(s *corev1.Secret) {
	for k, v := range s.StringData {
		if s.Data == nil {
			s.Data = make(map[string][]byte, len(s.StringData))
		}
		s.Data[k] = []byte(v)
	}
	s.StringData = nil
}

// headerOf reads the header from a tree.
func headerOf(root *yaml.Node) header {
	var h header
	h.apiVersion = textAt(root, "apiVersion")
	h.kind = textAt(root, "kind")
	if meta := child(root, "metadata"); meta != nil {
		h.name = textAt(meta, "name")
		if h.name == "" {
			h.name = textAt(meta, "generateName")
		}
		h.namespace = textAt(meta, "namespace")
	}
	return h
}

// child is the value of a key of a mapping, or nil. Of a repeated key it is
// the last.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := len(n.Content) - 2; i >= 0; i -= 2 {
		if n.Content[i].Value == key {
			return follow(n.Content[i+1])
		}
	}
	return nil
}

func textAt(n *yaml.Node, key string) string {
	if c := child(n, key); c != nil && c.Kind == yaml.ScalarNode && !isNothing(c) {
		return c.Value
	}
	return ""
}

// listItems returns the objects of a List or a typed list (ServiceList). An
// item of a typed list takes over the kind that the list implies.
func listItems(root *yaml.Node, h header) ([]*yaml.Node, bool) {
	of, ok := strings.CutSuffix(h.kind, "List")
	items := child(follow(root), "items")
	if !ok || items == nil || items.Kind != yaml.SequenceNode {
		return nil, false
	}
	if of == "" {
		return items.Content, true
	}
	found := make([]*yaml.Node, 0, len(items.Content))
	for _, item := range items.Content {
		if item = follow(item); item != nil && item.Kind == yaml.MappingNode {
			item = implied(item, h.apiVersion, of)
		}
		found = append(found, item)
	}
	return found, true
}

// implied gives an item of a typed list the apiVersion and kind of the list,
// where it has none itself.
func implied(item *yaml.Node, apiVersion, kind string) *yaml.Node {
	filled := *item
	filled.Content = slices.Clone(item.Content)
	for _, kv := range [][2]string{{"apiVersion", apiVersion}, {"kind", kind}} {
		if textAt(item, kv[0]) == "" {
			filled.Content = append(filled.Content,
				&yaml.Node{Kind: yaml.ScalarNode, Value: kv[0], Line: item.Line},
				&yaml.Node{Kind: yaml.ScalarNode, Value: kv[1], Line: item.Line})
		}
	}
	return &filled
}
