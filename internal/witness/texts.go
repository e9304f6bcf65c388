package witness

import (
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// texts are some that fulfil a condition, the plainest first.
func texts(t *match.Text) []string {
	var all []string
	for _, s := range candidates(t) {
		if t.Match(s, true) {
			all = append(all, s)
		}
	}
	return all
}

func candidates(t *match.Text) []string {
	switch t.Op {
	case match.Exact:
		return []string{t.Value}
	case match.Prefix:
		return []string{t.Value, t.Value + "x"}
	case match.Suffix:
		return []string{"x" + t.Value, t.Value}
	case match.Regex:
		return ofRegex(t.Value)
	}
	return []string{"x"}
}

// paths are some that fulfil a route's condition on paths: the one that it names, and
// one below that.
func paths(t *match.Text) []string {
	var tried []string
	switch t.Op {
	case match.Exact:
		tried = []string{t.Value}
	case match.Prefix:
		tried = []string{t.Value, below(t.Value), t.Value + "x"}
	case match.Suffix:
		tried = []string{"/x" + t.Value, t.Value}
	case match.Regex:
		lead, _ := t.Lead()
		tried = append(ofRegex(t.Value), lead, lead+"/", lead+"x", below(lead), "/", "/x")
	default:
		tried = []string{"/", "/x"}
	}
	var all []string
	for _, s := range tried {
		if isPath(s) && t.Match(s, true) {
			all = append(all, s)
		}
	}
	return all
}

// Sample is a path that fulfils a route's condition, if one is found.
func Sample(r *plan.Route) (string, bool) {
	all := paths(&r.Rule.Path)
	if len(all) == 0 {
		return "", false
	}
	return all[0], true
}

// besides are paths that just do not fulfil a condition on paths.
func besides(t *match.Text) []string {
	var tried []string
	switch t.Op {
	case match.Exact, match.Prefix:
		tried = []string{strings.TrimSuffix(t.Value, "/"), below(t.Value), t.Value + "x", t.Value[:max(len(t.Value)-1, 0)]}
	case match.Suffix:
		tried = []string{"/x" + t.Value + "x"}
	case match.Regex:
		lead, _ := t.Lead()
		tried = []string{lead, below(lead), "/"}
	}
	for _, s := range tried {
		if isPath(s) && !t.Match(s, true) {
			return []string{s}
		}
	}
	return nil
}

// below is a path below another.
func below(path string) string { return strings.TrimSuffix(path, "/") + "/x" }

// isPath tells whether a text may stand in a request line as a path.
func isPath(s string) bool {
	if !strings.HasPrefix(s, "/") || len(s) > 2*maxText {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == '?' || s[i] == '#' {
			return false
		}
	}
	return true
}

// PathOf is a path that a pattern of an AuthorizationPolicy's paths takes.
func PathOf(pattern string) string {
	if rest, ok := strings.CutPrefix(pattern, "*"); ok {
		return "/x" + rest
	}
	if strings.Contains(pattern, "{*") {
		return strings.NewReplacer("{**}", "x", "{*}", "x").Replace(strings.TrimSuffix(pattern, "*"))
	}
	return strings.TrimSuffix(pattern, "*")
}

// textOf is a text that a value of an AuthorizationPolicy takes.
func textOf(value string) string {
	if value == "*" {
		return "x"
	}
	if rest, ok := strings.CutPrefix(value, "*"); ok {
		return "x" + rest
	}
	return strings.TrimSuffix(value, "*")
}
