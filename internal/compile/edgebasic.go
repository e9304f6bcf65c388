package compile

import (
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// basic is what the annotations of an Ingress ask for about names and passwords.
type basic struct {
	kind, secret, secretType, realm string
}

// realmChars are the letters of a realm (ingress-nginx, parser.CharsWithSpace).
var realmChars = regexp.MustCompile(`^[-._~a-zA-Z0-9/: ]*$`)

// dearHash are hashes that package htpasswd compares with nothing (maxCost).
var dearHash = regexp.MustCompile(`^\$2[a-z]?\$(1[89]|[2-9][0-9])\$`)

// set reads one annotation.
func (b *basic) set(name, value string) (ok, known bool) {
	switch name {
	case "auth-type":
		b.kind, ok = value, value == "basic" || value == "digest"
	case "auth-secret":
		if ok = objectName.MatchString(value); ok {
			b.secret = value
		}
	case "auth-secret-type":
		b.secretType, ok = value, value == "auth-file" || value == "auth-map"
	case "auth-realm":
		b.realm, ok = value, realmChars.MatchString(value)
	default:
		return false, false
	}
	return ok, true
}

// readBasic finds the users of an Ingress. What cannot be judged closes it; so does a
// Secret without auth-type, which ingress-nginx takes for no protection at all.
func (e *edge) readBasic(ing *ingress) {
	if ing.kind == "" && ing.secret == "" {
		return
	}
	users, why := e.users(ing)
	field := "auth-secret"
	switch ing.kind {
	case "":
		why = "auth-secret without auth-type protects nothing in ingress-nginx"
	case "digest":
		field, why = "auth-type", "auth-type digest is not carried out"
	}
	if why == "" {
		ing.users = &plan.BasicAuth{Realm: ing.realm, Users: users, Origin: ing.origin(annotationField("auth-type"))}
		return
	}
	if ing.closed == "" {
		ing.closed = why
	}
	e.c.problemAs(problem.Error, problem.IngressAnnotationValue, ing.item.Ref, ing.item.Origin, annotationField(field),
		why+"; all paths of the Ingress answer 503", "write auth-type: basic, and name a Secret of the namespace whose key auth holds NAME:HASH lines")
}

// users reads the names and hashes of the Secret that an Ingress names.
func (e *edge) users(ing *ingress) (users map[string]string, why string) {
	namespace, name, both := strings.Cut(ing.secret, "/")
	if !both {
		namespace, name = ing.item.Ref.Namespace, ing.secret
	}
	if namespace != ing.item.Ref.Namespace {
		return nil, "the Secret " + ing.secret + " is of another namespace"
	}
	item, ok := e.c.set.Secrets.Get(namespace, name)
	if !ok {
		return nil, "there is no Secret " + name + " in namespace " + namespace + nearest(name, e.c.secretNames(namespace))
	}
	users = map[string]string{}
	if ing.secretType == "auth-map" {
		for _, user := range secretKeys(item.Object) {
			e.addUser(ing, users, user+":"+string(secretData(item.Object, user)))
		}
		return users, ""
	}
	file := secretData(item.Object, "auth")
	if file == nil {
		return nil, "the Secret " + name + " has no key auth"
	}
	for line := range strings.Lines(string(file)) {
		e.addUser(ing, users, line)
	}
	return users, ""
}

func secretKeys(s *corev1.Secret) []string {
	all := map[string]bool{}
	for k := range s.Data {
		all[k] = true
	}
	for k := range s.StringData {
		all[k] = true
	}
	return sortedKeys(all)
}

// addUser reads NAME:HASH[:COMMENT]; the first of a name counts.
func (e *edge) addUser(ing *ingress, users map[string]string, line string) {
	line = strings.TrimRight(line, "\r\n")
	name, rest, ok := strings.Cut(line, ":")
	if !ok || strings.HasPrefix(line, "#") {
		return
	}
	hash, _, _ := strings.Cut(rest, ":")
	if _, again := users[name]; again {
		return
	}
	users[name] = hash
	if dearHash.MatchString(hash) {
		e.c.problemAs(problem.Warning, problem.IngressAnnotationValue, ing.item.Ref, ing.item.Origin, annotationField("auth-secret"),
			"the password of user "+name+" is hashed at a cost over 17, which is not paid, so it never fits", "hash it with htpasswd -B -C 10")
	}
	for _, form := range [...]string{"$2", "$apr1$", "$1$", "{SHA}", "{SSHA}", "{PLAIN}"} {
		if strings.HasPrefix(hash, form) {
			return
		}
	}
	e.c.problemAs(problem.Warning, problem.IngressAnnotationValue, ing.item.Ref, ing.item.Origin, annotationField("auth-secret"),
		"the password of user "+name+" is in a form that is not carried out, so it never fits", "hash it with htpasswd -B")
}
