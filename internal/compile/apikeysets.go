package compile

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/api/v1alpha1"
	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// apiKeySet is an APIKeySet with its keys.
type apiKeySet struct {
	item    object.Item[*v1alpha1.APIKeySet]
	keys    []*plan.APIKey
	header  string
	outputs []plan.ClaimHeader
	number  int
	used    bool
}

// apiKeySets are all sets, and what is made of them.
type apiKeySets struct {
	all   []*apiKeySet             // those of the root namespace first, then the oldest first
	rings map[string]*plan.KeyRing // by the sets' numbers
	twice map[*plan.APIKey]bool    // told to be there twice
}

// readAPIKeySets reads the APIKeySets.
func (c *compiler) readAPIKeySets() {
	c.apiKeySets = apiKeySets{rings: map[string]*plan.KeyRing{}, twice: map[*plan.APIKey]bool{}}
	for _, item := range c.set.APIKeySets.All() {
		s := &apiKeySet{item: item, header: "x-api-key"}
		c.readKeyFields(s)
		c.readKeys(s)
		c.apiKeySets.all = append(c.apiKeySets.all, s)
	}
	slices.SortStableFunc(c.apiKeySets.all, func(a, b *apiKeySet) int {
		return cmp.Or(c.rootFirst(a.item.Ref, b.item.Ref), older(a.item.Object, b.item.Object))
	})
	for i, s := range c.apiKeySets.all {
		s.number = i
	}
}

// rootFirst orders the objects of the root namespace before others.
func (c *compiler) rootFirst(a, b object.Ref) int {
	switch root := c.mesh.rootNamespace; {
	case a.Namespace == root && b.Namespace != root:
		return -1
	case a.Namespace != root && b.Namespace == root:
		return 1
	}
	return 0
}

func (c *compiler) onKeySet(code string, s *apiKeySet, field, message, remedy string) {
	c.problem(code, s.item.Ref, s.item.Origin, field, message, remedy)
}

// readKeyFields reads the headers of a set.
func (c *compiler) readKeyFields(s *apiKeySet) {
	spec := &s.item.Object.Spec
	if spec.Selector != nil && len(spec.TargetRefs) > 0 {
		c.onKeySet(problem.Schema, s, "spec.selector", "selector and targetRefs exclude each other; targetRefs are taken", "remove one of them")
	}
	if name := strings.ToLower(spec.Header); name == "authorization" || name == "cookie" || spec.Header != "" && !fillable(name) {
		c.onKeySet(problem.Schema, s, "spec.header", strconv.Quote(spec.Header)+" is no header that keys can be looked for in; they are in x-api-key", "name a header of letters, digits and hyphens, as in x-api-key")
	} else if name != "" {
		s.header = name
	}
	for i, o := range spec.OutputHeaders {
		field := "spec.outputHeaders[" + strconv.Itoa(i) + "]"
		name := strings.ToLower(o.Header)
		if !fillable(name) || name == "authorization" {
			c.onKeySet(problem.Schema, s, field+".header", strconv.Quote(o.Header)+" is no header that a key can fill; nothing is written to it", "name a header of letters, digits and hyphens, as in x-api-owner")
			continue
		}
		if claims := []string{"sub", "owner", "groups", "scope", "set"}; !slices.Contains(claims, o.Claim) {
			c.onKeySet(problem.Schema, s, field+".claim", "a key has no claim "+strconv.Quote(o.Claim)+nearest(o.Claim, claims)+"; the header stays empty", "write one of "+strings.Join(claims, ", "))
		}
		s.outputs = append(s.outputs, plan.ClaimHeader{Name: name, Claim: []string{o.Claim}})
	}
}

// readKeys reads the keys of a set and their hashes. What is wrong with a key stops
// that key.
func (c *compiler) readKeys(s *apiKeySet) {
	spec := &s.item.Object.Spec
	entries, closed := c.keySecret(s), ""
	if unread := s.item.Unread; len(unread) > 0 {
		closed = "the set cannot be read: " + strings.Join(unread, ", ")
		c.onKeySet(problem.APIKeyUnusable, s, unread[0], "none of the keys of the set works, because something in it cannot be read", "correct it")
	}
	names, digests := map[string]bool{}, map[apikey.Digest]string{}
	for i := range spec.Keys {
		k := c.newKey(s, &spec.Keys[i], "spec.keys["+strconv.Itoa(i)+"]")
		k.Broken = cmp.Or(closed, k.Broken)
		broken := func(field, why, remedy string) { c.breakKey(s, k, field, why, remedy) }
		switch entry, ok := entries[k.Name]; {
		case !isKeyName(k.Name): // told
		case names[k.Name]:
			broken(".name", "there is another key "+k.Name+" in the set", "give each key its own name")
		case !ok && entries != nil:
			broken(".name", "the Secret "+spec.SecretName+" has no entry "+strconv.Quote(k.Name)+nearestKey(c, k.Name, entries), "make a key with doorward apikey new "+k.Name)
		case ok:
			var err error
			if k.Digests, err = apikey.ReadDigests(entry); err != nil {
				broken(".name", "the entry "+k.Name+" of Secret "+spec.SecretName+" is no hash of a key: "+err.Error(), "make a key with doorward apikey new "+k.Name)
			}
		}
		for _, d := range k.Digests {
			if other, ok := digests[d]; ok {
				broken(".name", "the key is that of "+other+", too", "make a key of its own for each")
			}
			digests[d] = k.Name
		}
		if c.opts.StandIn != nil {
			k.Digests = append(k.Digests, c.opts.StandIn(s.item.Ref.Namespace, s.item.Ref.Name, k.Name))
		}
		names[k.Name] = true
		s.keys = append(s.keys, k)
	}
	c.unlistedKeys(s, entries, names)
}

// breakKey stops a key.
func (c *compiler) breakKey(s *apiKeySet, k *plan.APIKey, field, why, remedy string) {
	if k.Broken == "" {
		k.Broken = why
	}
	c.onKeySet(problem.APIKeyUnusable, s, k.Origin.Field+field, why+"; the key never works", remedy)
}

// keySecret returns the entries of the set's Secret; nil if there is none.
func (c *compiler) keySecret(s *apiKeySet) map[string][]byte {
	name := s.item.Object.Spec.SecretName
	item, ok := c.set.Secrets.Get(s.item.Ref.Namespace, name)
	if !ok {
		c.onKeySet(problem.APIKeySecretNotFound, s, "spec.secretName", "there is no Secret "+strconv.Quote(name)+" in namespace "+s.item.Ref.Namespace+
			nearest(name, c.secretNames(s.item.Ref.Namespace))+"; no key of the set works", "create the Secret, as doorward apikey new does")
		return nil
	}
	entries := map[string][]byte{}
	for name := range item.Object.Data {
		entries[name] = secretData(item.Object, name)
	}
	return entries
}

// unlistedKeys tells of entries of the Secret that are no keys of the set.
func (c *compiler) unlistedKeys(s *apiKeySet, entries map[string][]byte, names map[string]bool) {
	for _, entry := range sortedKeys(entries) {
		if names[entry] {
			continue
		}
		c.onKeySet(problem.APIKeyUnusable, s, "spec.keys", "the entry "+entry+" of Secret "+s.item.Object.Spec.SecretName+" is no key of the set"+nearestKey(c, entry, names)+"; it opens nothing",
			"list it under keys, or remove it from the Secret")
	}
}

// nearestKey offers the name that was meant.
func nearestKey[V any](c *compiler, name string, have map[string]V) string {
	if !c.look(len(have)) {
		return ""
	}
	return nearest(name, sortedKeys(have))
}

// newKey makes a key without its hashes.
func (c *compiler) newKey(s *apiKeySet, w *v1alpha1.APIKey, field string) *plan.APIKey {
	ref := s.item.Ref
	k := &plan.APIKey{
		Origin: plan.Origin{Ref: ref, Origin: s.item.Origin, Field: field},
		Name:   w.Name, Header: s.header, Forward: s.item.Object.Spec.Forward, Disabled: w.Disabled,
	}
	if !isKeyName(w.Name) {
		c.breakKey(s, k, ".name", strconv.Quote(w.Name)+" is no name of a key", `write letters, digits, ".", "_" and "-"`)
	}
	if w.Expires != nil {
		k.Expires = w.Expires.Time
	}
	c.readScopes(s, k, w.Scopes)
	claims := map[string]any{"iss": plan.KeyIssuer, "sub": w.Name, "set": ref.Namespace + "/" + ref.Name}
	if w.Owner != "" {
		claims["owner"] = w.Owner
	}
	var scopes []string
	for i := range w.Scopes {
		if name := w.Scopes[i].Name; name != "" {
			scopes = append(scopes, name)
		}
	}
	for name, list := range map[string][]string{"groups": w.Groups, "scope": scopes} {
		members := make([]any, len(list))
		for i := range list {
			members[i] = list[i]
		}
		if len(members) > 0 {
			claims[name] = members
		}
	}
	k.Token = match.NewToken(match.Token{Issuer: plan.KeyIssuer, Subject: w.Name, Claims: claims})
	for i := range s.outputs {
		if text := s.outputs[i].Text(claims); text != "" {
			k.Outputs = append(k.Outputs, header.Field{Name: s.outputs[i].Name, Value: text})
		}
	}
	return k
}

// isKeyName tells whether a key can have the name: it is the key of a Secret's
// entry, and the last part of a principal.
func isKeyName(s string) bool {
	return s != "" && len(s) <= 253 && strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.')
	}) < 0
}

// readScopes reads the scopes of a key.
func (c *compiler) readScopes(s *apiKeySet, k *plan.APIKey, scopes []v1alpha1.APIKeyScope) {
	if scopes != nil && len(scopes) == 0 {
		c.breakKey(s, k, ".scopes", "the list of scopes is empty", "leave it out for a key that is good everywhere")
	}
	for i := range scopes {
		w := &scopes[i]
		field := ".scopes[" + strconv.Itoa(i) + "]"
		var scope plan.KeyScope
		read := func(name string, written []string, read func(string) (text, why, remedy string)) []string {
			if written != nil && len(written) == 0 {
				c.breakKey(s, k, field+"."+name, "the list of "+name+" is empty", "leave it out for all "+name)
			}
			var all []string
			for j, text := range written {
				v, why, remedy := read(text)
				if why != "" {
					c.breakKey(s, k, field+"."+name+"["+strconv.Itoa(j)+"]", strconv.Quote(text)+" "+why, remedy)
				}
				all = append(all, v)
			}
			return all
		}
		scope.Hosts = read("hosts", w.Hosts, scopeHost)
		scope.Paths = read("paths", w.Paths, scopePath)
		scope.Methods = read("methods", w.Methods, scopeMethod)
		k.Scopes = append(k.Scopes, scope)
	}
}

func scopeHost(s string) (host, why, remedy string) {
	host = strings.ToLower(s)
	switch rest := strings.TrimPrefix(host, "*."); {
	case s == "" || s == "*":
		why, remedy = "is no host", "leave hosts out for all of them"
	case strings.ContainsAny(rest, "*/"):
		why, remedy = "is neither a host nor *.SUFFIX", "write it as in api.example.com or *.example.com"
	case strings.Contains(rest, ":") && !strings.HasSuffix(rest, "]"):
		why, remedy = "has a port, which does not count here", "write the name alone"
	}
	return host, why, remedy
}

// scopePath reads a prefix in the form that scopes compare: without a slash at its end.
func scopePath(s string) (path, why, remedy string) {
	path = strings.TrimRight(s, "/")
	switch {
	case !strings.HasPrefix(s, "/"):
		why, remedy = `does not begin with "/"`, "write the path from its beginning"
	case strings.Contains(s, "*"):
		why, remedy = "has a star, and paths are prefixes by elements", "write "+cmp.Or(strings.TrimRight(strings.TrimRight(s, "*"), "/"), "/")
	case strings.ContainsAny(s, "?#"):
		why, remedy = "is more than a path", "write the path alone"
	case strings.Contains(path, "//") || slices.ContainsFunc(strings.Split(path, "/"), func(e string) bool { return e == "." || e == ".." }):
		why, remedy = `has an empty element, "." or ".."`, "write the path as applications see it"
	}
	return path, why, remedy
}

func scopeMethod(s string) (method, why, remedy string) {
	switch {
	case s == "" || s == "*":
		why, remedy = "is no method", "leave methods out for all of them"
	case s != strings.ToUpper(s):
		why, remedy = "is no method: their letters are capitals", "write "+strings.ToUpper(s)
	}
	return s, why, remedy
}

// apiKeys is the guard of a workload's APIKeySets. tokens are what comes behind it.
func (c *compiler) apiKeys(w *secured, tokens []plan.Guard) []plan.Guard {
	var sets []*apiKeySet
	var key []byte
	for _, s := range c.apiKeySets.all {
		if spec := &s.item.Object.Spec; c.selects(s.item.Ref.Namespace, spec.Selector, spec.TargetRefs, w) {
			s.used = true
			sets = append(sets, s)
			key = binary.BigEndian.AppendUint32(key, uint32(s.number))
		}
	}
	if len(sets) == 0 {
		return nil
	}
	ring := c.apiKeySets.rings[string(key)]
	if ring == nil {
		ring = c.keyRing(sets)
		c.apiKeySets.rings[string(key)] = ring
	}
	var behind *plan.Tokens
	if len(tokens) > 0 {
		behind = tokens[0].(*plan.Tokens)
	}
	return []plan.Guard{plan.NewAPIKeys(ring, behind)}
}

// keyRing makes one ring of some sets. A name that two of them have is the first's:
// policies could not tell one from the other.
func (c *compiler) keyRing(sets []*apiKeySet) *plan.KeyRing {
	var by []plan.Origin
	var keys []*plan.APIKey
	var headers, outputs []string
	names, digests := map[string]*apiKeySet{}, map[apikey.Digest]*apiKeySet{}
	for _, s := range sets {
		by = append(by, plan.Origin{Ref: s.item.Ref, Origin: s.item.Origin})
		headers = append(headers, s.header)
		for i := range s.outputs {
			outputs = append(outputs, s.outputs[i].Name)
		}
		for _, k := range s.keys {
			other, why := names[k.Name], "a key "+k.Name
			for _, d := range k.Digests {
				if o := digests[d]; o != nil && o != s {
					other, why = o, "the same key"
				}
				digests[d] = s
			}
			if other == nil || other == s {
				names[k.Name] = s
				keys = append(keys, k)
				continue
			}
			if !c.apiKeySets.twice[k] {
				c.apiKeySets.twice[k] = true
				c.onKeySet(problem.APIKeyUnusable, s, k.Origin.Field+".name", other.item.Ref.String()+" has "+why+", and is for some of the same workloads; there this one does not work", "give each key its own name")
			}
		}
	}
	return plan.NewKeyRing(by, keys, slices.Compact(slices.Sorted(slices.Values(headers))), outputs)
}

// lintAPIKeySets tells of sets that no workload takes.
func (c *compiler) lintAPIKeySets() {
	for _, s := range c.apiKeySets.all {
		if s.used {
			continue
		}
		field := "spec.selector"
		if len(s.item.Object.Spec.TargetRefs) > 0 {
			field = "spec.targetRefs"
		}
		c.onKeySet(problem.AuthnSelectsNothing, s, field, "the set is for no gateway and no workload with a sidecar; its keys open nothing",
			"select the gateway's Pods, in their namespace or in the root namespace "+c.mesh.rootNamespace)
	}
}
