package cli

import (
	"bufio"
	"maps"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/scaffold"
)

// converse has the questions of new answered, a line each, and returns what was said.
func converse(t *testing.T, a answers, lines ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	s := &site{people: scaffold.NewPlatform(scaffold.DefaultGateway), programs: scaffold.NewPlatform(scaffold.DefaultProgramsGateway)}
	in := strings.NewReader(strings.Join(append(lines, ""), "\n"))
	err := (&talk{in: bufio.NewReader(in), out: &out, person: true}).ask(questions(), a, s)
	if err == nil && in.Len() > 0 {
		t.Error("not every answer was asked for")
	}
	return out.String(), err
}

func TestConversation(t *testing.T) {
	for _, c := range []struct {
		name  string
		given answers
		lines []string
		want  answers
	}{
		{"defaults", answers{}, []string{"", "", "", "", "", "", "ghcr.io/acme/shop:1", "", "", "", ""},
			answers{"preset": "other", "place": "prefix", "prefix": "/shop", "told": "header", "access": "login", "runs": "image", "image": "ghcr.io/acme/shop:1",
				"container-port": "8080", "namespace": "shop", "sidecar": "yes", "platform-host": "cluster.example.com"}},
		{"numbers, words, beginnings, yes and no", answers{}, []string{"other", "n", "own", "shop.example.org", "yes", "web:8080", "", "n", ""},
			answers{"preset": "other", "place": "host", "host": "shop.example.org", "access": "own", "runs": "service", "service": "web:8080",
				"namespace": "shop", "sidecar": "no", "issuer": "letsencrypt-prod"}},
		{"what flags have answered is not asked", answers{"preset": "other", "place": "prefix", "prefix": "/s", "told": "nothing", "runs": "image", "image": "a:1", "namespace": "x", "sidecar": "no"},
			[]string{"4", "9000", ""},
			answers{"preset": "other", "place": "prefix", "prefix": "/s", "told": "nothing", "access": "programs", "runs": "image", "image": "a:1",
				"container-port": "9000", "namespace": "x", "sidecar": "no", "platform-host": "cluster.example.com"}},
		{"back, twice and on another way", answers{}, []string{"", "", "", "/a", "<", "<", "<", "host", "public", "a.example.com", "service", "<", "image", "a:1", "", "", "", ""},
			answers{"preset": "other", "place": "host", "host": "a.example.com", "access": "public", "runs": "image", "image": "a:1",
				"container-port": "8080", "namespace": "shop", "sidecar": "no", "issuer": "letsencrypt-prod"}},
		{"a preset answers for itself", answers{}, []string{"graf", "", "<", "login", "/g", "grafana/grafana:12.3.0", "", "", "p.example.org"},
			answers{"preset": "grafana", "prefix": "/g", "access": "login", "image": "grafana/grafana:12.3.0",
				"namespace": "shop", "sidecar": "yes", "platform-host": "p.example.org"}},
		{"back to another preset", answers{}, []string{"minio", "<", "kserve", "", "", "", "", "", ""},
			answers{"preset": "kserve", "prefix": "/serving/shop", "access": "programs", "service": "shop-predictor:80",
				"namespace": "shop", "sidecar": "yes", "platform-host": "cluster.example.com"}},
	} {
		c.given["name"], c.want["name"] = "shop", "shop"
		said, err := converse(t, c.given, c.lines...)
		if err != nil || !maps.Equal(c.given, c.want) {
			t.Errorf("%s: got %v, %v\nwant %v\n%s", c.name, c.given, err, c.want, said)
		}
	}
}

func TestConversationHelps(t *testing.T) {
	a := answers{"name": "shop"}
	said, err := converse(t, a, "<", "", "?", "perhaps", "", "", "shop", "/shop")
	if err != errEnded {
		t.Errorf("a conversation that breaks off: got error %v", err)
	}
	for _, want := range []string{
		"Can it run under a prefix, as https://cluster.example.com/shop/?\n  1 prefix    yes: under a prefix",
		"[other] > This is the first question.\n",
		"[prefix] > Under a prefix it needs no DNS name",
		`[prefix] > "perhaps" is none of prefix, host` + "\n",
		"Under which prefix?\n[/shop] > \"shop\" is no prefix: it begins with",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
}
