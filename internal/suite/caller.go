package suite

import (
	"encoding/json"

	"go.yaml.in/yaml/v3"

	"github.com/doorward/doorward/internal/caller"
)

// callerFields are the ways to say who asks: one of them, with groups beside user.
func (r *reader) callerFields(c *Caller) []field {
	return []field{
		{"claims", func(n *yaml.Node) { c.Claims = r.claims(n) }},
		{"user", func(n *yaml.Node) { c.User = r.text(n, "user") }},
		{"groups", func(n *yaml.Node) { c.Groups = r.texts(n, "groups") }},
		{"serviceAccount", func(n *yaml.Node) { c.ServiceAccount = r.text(n, "serviceAccount") }},
		{"apiKey", func(n *yaml.Node) { c.APIKey = r.text(n, "apiKey") }},
	}
}

// caller reads a caller.
func (r *reader) caller(f *File, key, value *yaml.Node) {
	c := &Caller{Name: key.Value, Line: key.Line}
	before := len(r.mistakes)
	r.mapping(value, "caller "+c.Name, r.callerFields(c))
	f.Callers[c.Name] = c
	if len(r.mistakes) > before {
		return
	}
	if c.Claims == nil && c.User == "" && c.ServiceAccount == "" && c.APIKey == "" {
		r.wrong(key, "caller %s is nobody; write one of claims, user (with groups), serviceAccount and apiKey", c.Name)
		return
	}
	var err error
	if c.who, err = caller.New(c.Spec); err != nil {
		r.wrong(key, "caller %s: %v", c.Name, err)
	}
}

// who asks.
func (t *Test) who() *caller.Caller {
	if t.As != nil {
		return t.As.who
	}
	c, _ := caller.New(caller.Spec{}) // it cannot fail: nothing is said
	return c
}

// claims reads claims as JSON would have them.
func (r *reader) claims(n *yaml.Node) map[string]any {
	var all any
	err := n.Decode(&all)
	var data []byte
	if err == nil {
		data, err = json.Marshal(all)
	}
	var claims map[string]any
	if err == nil {
		err = json.Unmarshal(data, &claims)
	}
	if err != nil || claims == nil {
		r.wrong(n, "claims is %s, and should be a mapping, as in {iss: https://login.example.com, sub: alice}", kind(n))
	}
	return claims
}
