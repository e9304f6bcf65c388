package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/scaffold"
)

// answers are those to the questions of new, by the questions' keys, with the
// application's own name.
type answers map[string]string

// asking is a question of new. Its key is the name of the flag that answers it.
type asking struct {
	key, usage string
	text       string // as a person is asked
	reason     string // why it is asked: the answer to "?"
	choices    []choice
	// usual is the answer of those who do not care; "" is none. A preset's goes before it.
	usual func(answers, *site) string
	// when tells whether it is asked; nil always.
	when func(answers) bool
	// check tells what is wrong with an answer; nil takes any.
	check func(string) error
	// need makes scripts answer it where nothing is usual.
	need bool
}

// choice is an answer that can be given, and what it means.
type choice struct{ word, means string }

// asked tells whether it is a question after the answers before: one that a preset has
// answered for good is none.
func (q *asking) asked(a answers) bool {
	return (q.when == nil || q.when(a)) && a.fixed(q.key) == ""
}

// def is the answer of those who do not care; "" is none.
func (q *asking) def(a answers, s *site) string {
	if p := scaffold.PresetOf(a["preset"]); p != nil && p.Default[q.key] != "" {
		return strings.ReplaceAll(p.Default[q.key], "%(name)", a["name"])
	}
	return q.usual(a, s)
}

// fixed is what a preset answers for good; "" is nothing.
func (a answers) fixed(key string) string {
	if p := scaffold.PresetOf(a["preset"]); p != nil {
		return p.Fixed[key]
	}
	return ""
}

// get is the answer to a question, of a preset or a person.
func (a answers) get(key string) string {
	if f := a.fixed(key); f != "" {
		return f
	}
	return a[key]
}

// words are the answers that can be given.
func (q *asking) words() []string {
	var words []string
	for _, c := range q.choices {
		words = append(words, c.word)
	}
	return words
}

// valid tells what is wrong with an answer.
func (q *asking) valid(answer string) error {
	if len(q.choices) > 0 {
		for _, c := range q.choices {
			if c.word == answer {
				return nil
			}
		}
		if near, ok := problem.Nearest(answer, q.words()); ok {
			return fmt.Errorf("%q is none of %s; did you mean %s?", answer, strings.Join(q.words(), ", "), near)
		}
		return fmt.Errorf("%q is none of %s", answer, strings.Join(q.words(), ", "))
	}
	if q.check == nil {
		return nil
	}
	return q.check(answer)
}

// questions are those of the guide's decision chart, in its order.
func questions() []*asking {
	prefix := func(a answers) bool { return a.get("place") == "prefix" }
	host := func(a answers) bool { return a.get("place") == "host" }
	runs := func(a answers) bool { return a.get("runs") == "image" }
	is := func(word string) func(answers, *site) string { return func(answers, *site) string { return word } }
	return []*asking{
		{
			key: "preset", usage: "what it is, if that is known here: " + strings.Join(presetNames(), ", ") + ", or other",
			text:    "What is it?",
			reason:  "Of these it is known how they learn their prefix, what they must be told, and what they need on the way.",
			choices: presetChoices(),
			usual:   is("other"),
		},
		{
			key: "place", usage: "where it is seen: under a prefix of the platform's host, or on a host of its own: prefix or host",
			text:   "Can it run under a prefix, as %(site)/%(name)/?",
			reason: "Under a prefix it needs no DNS name and no certificate, and the platform's login stands before it. An application that\nmakes links from the root (/api/data) and cannot be told otherwise needs a host of its own.",
			choices: []choice{
				{"prefix", "yes: under a prefix of the platform's host"},
				{"host", "no: on a host of its own, with an Ingress of its own, past the platform's login"},
			},
			usual: is("prefix"),
		},
		{
			key: "access", usage: "who comes in: login, public, own (a login of its own) or programs",
			text:   "Who comes in?",
			reason: "The gateway for people lets nobody in without a login. public and own need the path left out of its two policies,\nwhich doorward exempt does. programs are let in without a login by the other gateway, under /serving.",
			choices: []choice{
				{"login", "people who are logged in at the platform"},
				{"public", "everybody"},
				{"own", "everybody, and the application asks for its own login (OIDC)"},
				{"programs", "programs, through the gateway without a login"},
			},
			usual: func(a answers, _ *site) string {
				if host(a) {
					return ""
				}
				return "login"
			},
			need: true,
		},
		{
			key: "prefix", usage: "the path it is seen under, as /myapp",
			text: "Under which prefix?", when: prefix, check: scaffold.CheckPrefix,
			reason: "The first part of the path says which application a request is for. It need not be the application's name.",
			usual:  func(a answers, s *site) string { return s.of(a).Path + "/" + a["name"] },
		},
		{
			key: "host", usage: "a host of its own, as myapp.example.com",
			text: "On which host?", when: host, check: scaffold.CheckHost,
			reason: "Its DNS name must lead to the Ingress controller; cert-manager gets the certificate.",
			usual: func(a answers, s *site) string {
				_, domain, _ := strings.Cut(s.of(a).Host, ".")
				return a["name"] + "." + domain
			},
		},
		{
			key: "told", usage: "how it learns its prefix: header, nothing or setting",
			text: "How does it learn that prefix, for the links that it makes?", when: prefix,
			reason: "The prefix is taken off the path before the application gets the request, unless a setting of its own makes it serve\nthe prefix. The header harms nobody who does not read it.",
			choices: []choice{
				{"header", "from the header X-Forwarded-Prefix"},
				{"nothing", "it need not: its links are relative"},
				{"setting", "by a setting of its own: it serves the prefix itself, which stays in the path"},
			},
			usual: is("header"),
		},
		{
			key: "runs", usage: "what runs: image (a Deployment and a Service are written) or service (there is one already)",
			text:   "Is its Service there already, from a Helm chart say?",
			reason: "A route needs a Service to lead to. If a chart brings one, no Deployment and no Service are written.",
			choices: []choice{
				{"image", "no: write a Deployment and a Service for an image"},
				{"service", "yes: write none"},
			},
			usual: is("image"),
		},
		{
			key: "image", usage: "the image, with its tag, as ghcr.io/acme/myapp:1.4.2",
			text: "Which image, with its tag?", when: runs, check: scaffold.CheckImage, need: true,
			reason: "The tag goes into overlays/production, so that an update is one line.",
			usual:  is(""),
		},
		{
			key: "container-port", usage: "the port that the container listens on",
			text: "Which port does the container listen on?", when: runs, check: port,
			reason: "The Service leads port 80 to it.",
			usual:  is("8080"),
		},
		{
			key: "service", usage: "the Service that is there, as NAME:PORT",
			text: "Which Service and port, as NAME:PORT?", check: serviceAndPort, need: true,
			when:   func(a answers) bool { return a.get("runs") == "service" },
			reason: "The port is the Service's. Its name should tell the protocol (http, grpc), as Istio wants it.",
			usual:  is(""),
		},
		{
			key: "model", usage: "the model, as Hugging Face calls it: Qwen/Qwen3-0.6B",
			text: "Which model?", check: scaffold.CheckModel,
			when:   func(a answers) bool { return a["preset"] == "vllm" },
			reason: "It is fetched when the server starts, and kept on the volume.",
			usual:  is("Qwen/Qwen3-0.6B"),
		},
		{
			key: "namespace", usage: "its namespace; without, its name",
			text: "In which namespace?", check: scaffold.CheckNamespace,
			reason: "An application has one of its own, so that policies and injection are its own too.",
			usual:  func(a answers, _ *site) string { return a["name"] },
		},
		{
			key: "sidecar", usage: "whether its Pods get a sidecar: yes or no",
			text:   "Should its Pods have a sidecar?",
			reason: "With one, traffic inside the cluster is encrypted, and only the gateway gets in. Without one anything in the cluster may\ncall the application, but nothing of the mesh can stand in its way.",
			choices: []choice{
				{"yes", "only the gateway gets in, over mTLS"},
				{"no", "no mesh for it"},
			},
			usual: func(a answers, _ *site) string {
				if host(a) {
					return "no"
				}
				return "yes"
			},
		},
		{
			key: "platform-host", usage: "the platform's host in production, as cluster.example.com",
			text: "What is the platform's host?", when: prefix, check: scaffold.CheckHost,
			reason: "The tests ask there. It is read from the platform's manifests where those are at hand.",
			usual:  func(a answers, s *site) string { return s.of(a).Host },
		},
		{
			key: "issuer", usage: "the ClusterIssuer of cert-manager that signs the host's certificate",
			text: "Which ClusterIssuer signs the certificate?", when: host,
			reason: "cert-manager makes the certificate and puts it where the Ingress looks for it.",
			usual:  is(scaffold.DefaultIssuer),
		},
	}
}

func presetNames() []string {
	var names []string
	for _, p := range scaffold.Presets() {
		names = append(names, p.Name)
	}
	return names
}

func presetChoices() []choice {
	all := []choice{{"other", "something else"}}
	for _, p := range scaffold.Presets() {
		all = append(all, choice{p.Name, p.About})
	}
	return all
}

// find finds a question; nil if there is none.
func find(key string) *asking {
	for _, q := range questions() {
		if q.key == key {
			return q
		}
	}
	return nil
}

func port(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%q is no port, as in 8080", text)
	}
	return scaffold.CheckPort(n)
}

func serviceAndPort(text string) error {
	name, number, ok := strings.Cut(text, ":")
	if !ok {
		return fmt.Errorf("%q is not NAME:PORT, as in myapp-service:80", text)
	}
	return errors.Join(scaffold.CheckService(name), port(number))
}

// imply answers the questions that others' answers answer: --host says that the place is
// a host.
func (a answers) imply() {
	for _, of := range []struct{ key, answer, by string }{
		{"place", "host", "host"}, {"place", "prefix", "prefix"},
		{"runs", "service", "service"}, {"runs", "image", "image"},
	} {
		if _, ok := a[of.key]; !ok && a[of.by] != "" && a.fixed(of.key) == "" {
			a[of.key] = of.answer
		}
	}
}

// check tells what is wrong with answers that flags have given.
func (a answers) check() error {
	for _, pair := range []struct{ one, other, question string }{{"prefix", "host", "place"}, {"image", "service", "runs"}} {
		one, other := a[pair.one] != "", a[pair.other] != ""
		switch f := a.fixed(pair.question); {
		case one && other:
			return fmt.Errorf("--%s and --%s are given; it is one or the other", pair.one, pair.other)
		case one && f == pair.other, other && f == pair.one:
			return fmt.Errorf("%s takes --%s, and --%s is given", a["preset"], f, map[bool]string{true: pair.one, false: pair.other}[one])
		}
	}
	for _, q := range questions() {
		answer, ok := a[q.key]
		if !ok {
			continue
		}
		if err := q.valid(answer); err != nil {
			return fmt.Errorf("--%s: %w", q.key, err)
		}
		if f := a.fixed(q.key); f != "" && f != answer {
			return fmt.Errorf("--%s %s: for %s it is %s", q.key, answer, a["preset"], f)
		}
	}
	return nil
}
