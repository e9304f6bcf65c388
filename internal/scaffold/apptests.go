package scaffold

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// TestsIn is the directory of an application's tests, below its own.
const TestsIn = "tests"

// TestFile is the file of an application's tests, below its own directory, with slashes.
func (a *App) TestFile() string { return TestsIn + "/" + a.Name + "_test.yaml" }

// Tests say what the answers mean, for doorward test.
func (a *App) Tests() []File {
	manifests := []any{}
	for _, m := range a.Platform.Manifests {
		manifests = append(manifests, m)
	}
	manifests = append(manifests, "../overlays/production")
	var files []File
	if a.StandsIn() {
		manifests = append(manifests, "service.yaml")
		files = append(files, File{TestsIn + "/service.yaml", a.standIn().text})
	}
	var tests []any
	for _, t := range a.cases() {
		tests = append(tests, t)
	}
	p := newPage("What requests to "+a.Name+" come to: doorward test "+a.Name+"/"+a.TestFile(), tree(
		"manifests", items(manifests...),
		"ingressClasses", a.classes(),
		"callers", a.callers(),
		"tests", items(tests...)))
	return append(files, File{a.TestFile(), p.text})
}

// StandsIn tells whether the tests bring a Service, as the application's is elsewhere.
func (a *App) StandsIn() bool { return a.Image == "" && !a.Platform.HasService }

// classes are those of the Ingresses that the tests meet, for manifests without their
// IngressClass.
func (a *App) classes() *yaml.Node { return line(a.Platform.IngressClass) }

// callers are those that the tests name.
func (a *App) callers() any {
	var pairs []any
	if a.caller() != nil {
		pairs = append(pairs, "alice", tree("user", "alice@example.com"))
	}
	if a.doorCases() != nil {
		pairs = append(pairs, "stranger", tree("serviceAccount", why("default/default", "something else in the cluster")))
	}
	if pairs == nil {
		return nil
	}
	return tree(pairs...)
}

// standIn is a Service in the place of the one that is elsewhere.
func (a *App) standIn() *pageOf {
	return newPage("For the tests only: it stands in for the Service that comes from elsewhere. Nothing applies it.", tree(
		"apiVersion", "v1", "kind", "Service", "metadata", a.metadata(a.Service),
		"spec", tree("selector", tree("app", a.Name), "ports", items(tree("name", "http", "port", a.Port)))))
}

// cases are the tests, one for each answer.
func (a *App) cases() []*yaml.Node {
	if a.Host != "" {
		return append(a.hostCases(), a.doorCases()...)
	}
	return append(a.prefixCases(), a.doorCases()...)
}

func (a *App) backend() string {
	return a.Namespace + "/" + a.Service + ":" + strconv.Itoa(a.Port)
}

// caller is who comes in for certain.
func (a *App) caller() any {
	if a.Access == ByLogin && a.Platform.Login {
		return "alice"
	}
	return nil
}

func (a *App) prefixCases() []*yaml.Node {
	url, via := "https://"+a.Platform.Host+a.Prefix, any(nil)
	if a.Platform.Via != "" {
		url, via = "http://"+a.Platform.Host+a.Prefix, a.Platform.Via
	}
	expect := tree("status", 200, "backend", a.backend(), "path", a.inside("/x?y=1"))
	name := "the prefix is taken off"
	if a.Told == BySetting {
		name = "the prefix stays: the application serves it"
	}
	cases := []*yaml.Node{tree("name", name, "request", "GET "+url+"/x?y=1", "via", via, "as", a.caller(), "expect", expect)}
	if a.Told == ByHeader {
		cases = append(cases, tree("name", "a header tells the prefix, whatever the client says", "request", "GET "+url+"/", "via", via, "as", a.caller(),
			"headers", tree("X-Forwarded-Prefix", "/elsewhere"),
			"expect", tree("backend", a.backend(), "headers", tree("x-forwarded-prefix", a.Prefix))))
	}
	if a.Access != Programs {
		cases = append(cases, tree("name", "without its slash the prefix leads to the one with it", "request", "GET "+url, "via", via, "as", a.caller(),
			"expect", tree("status", 301, "backend", "none")))
	}
	if len(a.Remove) > 0 {
		forged := tree()
		for _, name := range a.Remove {
			put(forged, name, text("mallory"))
		}
		cases = append(cases, tree("name", "a client cannot say who it is", "request", "GET "+url+"/", "via", via, "headers", forged,
			"expect", tree("backend", a.backend(), "noHeaders", words(a.Remove))))
	}
	switch {
	case a.Access == ByLogin && a.Platform.Login:
		cases = append(cases, tree("name", "nobody comes in without a login", "request", "GET "+url+"/", "via", via, "expect", tree("backend", "none")))
	case a.Access == Public:
		cases = append(cases, tree("name", "everybody comes in", "request", "GET "+url+"/", "via", via, "expect", tree("backend", a.backend())))
	case a.Access == Own:
		cases = append(cases, tree("name", "the application's own login is reached without the platform's", "request", "GET "+url+"/", "via", via,
			"navigate", true, "expect", tree("backend", a.backend())))
	case a.Access == Programs:
		cases = append(cases, tree("name", "programs post without a login", "request", "POST "+url+"/", "via", via, "expect", tree("backend", a.backend(), "method", "POST")))
	}
	return cases
}

func (a *App) hostCases() []*yaml.Node {
	return []*yaml.Node{
		tree("name", "the host is the application's own", "request", "GET https://"+a.Host+"/x?y=1",
			"expect", tree("status", 200, "backend", a.backend(), "path", "/x?y=1", "host", a.Host)),
		tree("name", "plain HTTP is sent to https", "request", "GET http://"+a.Host+"/x",
			"expect", tree("status", 308, "backend", "none", "answer", tree("location", "https://"+a.Host+"/x"))),
	}
}

// doorCases are those of the sidecar.
func (a *App) doorCases() []*yaml.Node {
	if !a.Sidecar || a.Host != "" {
		return nil
	}
	return []*yaml.Node{tree("name", "nothing else in the cluster gets in", "request", "GET http://"+a.Service+"."+a.Namespace+strings.TrimSuffix(a.inside("/"), "/")+"/",
		"via", a.backend(), "as", "stranger", "expect", tree("status", 403, "backend", "none"))}
}
