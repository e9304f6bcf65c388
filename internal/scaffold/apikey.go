// Package scaffold writes and edits manifests as text. What it does not touch stays as
// it is, byte for byte; in a document that it edits comments stay.
package scaffold

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/doorward/doorward/api/v1alpha1"
	"github.com/doorward/doorward/internal/object"
)

// APIKey is a key to write into manifests.
type APIKey struct {
	// Namespace and Set name the APIKeySet.
	Namespace, Set string
	// Selector is of a set that must be made.
	Selector map[string]string
	Key      v1alpha1.APIKey
	Digest   string // as the Secret holds it
	// Rotate adds the hash to a key that is there, instead of a key.
	Rotate bool
}

// AddTo writes the key into manifests, which may be empty: a key of the APIKeySet and
// an entry of its Secret, which are made where they are missing. It overwrites nothing:
// a key or an entry of that name is an error, unless Rotate asks for it.
func (k *APIKey) AddTo(manifests []byte) ([]byte, error) {
	docs, err := split(manifests)
	if err != nil {
		return nil, err
	}
	set, name, err := k.addToSet(docs)
	if err != nil {
		return nil, err
	}
	secret, err := k.addToSecret(docs, name)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	for _, d := range docs {
		text, err := d.text()
		if err != nil {
			return nil, err
		}
		out.WriteString(text)
	}
	for _, root := range []*yaml.Node{set, secret} {
		if root == nil {
			continue
		}
		text, err := render(root)
		if err != nil {
			return nil, err
		}
		if out.Len() > 0 {
			if !strings.HasSuffix(out.String(), "\n") {
				out.WriteByte('\n')
			}
			out.WriteString("---\n")
		}
		out.WriteString(text)
	}
	return []byte(out.String()), nil
}

// addToSet adds the key to its set, or returns a new one. secret is the name of the
// set's Secret.
func (k *APIKey) addToSet(docs []*document) (made *yaml.Node, secret string, err error) {
	d := find(docs, "doorward.dev/", "APIKeySet", k.Namespace, k.Set)
	if d == nil {
		if k.Rotate {
			return nil, "", fmt.Errorf("there is no APIKeySet %s/%s in the file", k.Namespace, k.Set)
		}
		selector := mapping()
		for _, label := range slices.Sorted(maps.Keys(k.Selector)) {
			put(selector, label, text(k.Selector[label]))
		}
		spec := mapping("selector", mapping("matchLabels", selector), "secretName", text(k.Set), "keys", list(k.node()))
		if len(k.Selector) == 0 {
			spec.Content = spec.Content[2:]
		}
		return k.newObject("doorward.dev/v1alpha1", "APIKeySet", k.Set, "spec", spec), k.Set, nil
	}
	spec := value(d.root, "spec")
	if spec == nil || spec.Kind != yaml.MappingNode {
		return nil, "", fmt.Errorf("APIKeySet %s/%s has no spec", k.Namespace, k.Set)
	}
	if secret = scalar(spec, "secretName"); secret == "" {
		return nil, "", fmt.Errorf("APIKeySet %s/%s names no secretName", k.Namespace, k.Set)
	}
	keys := value(spec, "keys")
	if keys == nil || keys.Kind == yaml.ScalarNode && keys.Tag == "!!null" {
		drop(spec, "keys")
		keys = list()
		put(spec, "keys", keys)
	}
	if keys.Kind != yaml.SequenceNode {
		return nil, "", fmt.Errorf("spec.keys of APIKeySet %s/%s is no list", k.Namespace, k.Set)
	}
	there := slices.ContainsFunc(keys.Content, func(n *yaml.Node) bool { return scalar(n, "name") == k.Key.Name })
	switch {
	case there && !k.Rotate:
		return nil, "", fmt.Errorf("APIKeySet %s/%s has a key %s already", k.Namespace, k.Set, k.Key.Name)
	case !there && k.Rotate:
		return nil, "", fmt.Errorf("APIKeySet %s/%s has no key %s", k.Namespace, k.Set, k.Key.Name)
	case !there:
		keys.Content, d.edited = append(keys.Content, k.node()), true
		if len(keys.Content) == 1 {
			keys.Style = 0
		}
	}
	return nil, secret, nil
}

// addToSecret adds the hash to the Secret, or returns a new one.
func (k *APIKey) addToSecret(docs []*document, name string) (made *yaml.Node, err error) {
	d := find(docs, "v1", "Secret", k.Namespace, name)
	if d == nil {
		if k.Rotate {
			return nil, fmt.Errorf("there is no Secret %s/%s in the file", k.Namespace, name)
		}
		return k.newObject("v1", "Secret", name, "stringData", mapping(k.Key.Name, text(k.Digest))), nil
	}
	for _, field := range []string{"stringData", "data"} {
		entry := value(value(d.root, field), k.Key.Name)
		if entry == nil {
			continue
		}
		if !k.Rotate {
			return nil, fmt.Errorf("the Secret %s/%s has an entry %s already", k.Namespace, name, k.Key.Name)
		}
		d.edited = true
		return nil, k.rotate(entry, field == "data")
	}
	if k.Rotate {
		return nil, fmt.Errorf("the Secret %s/%s has no entry %s", k.Namespace, name, k.Key.Name)
	}
	into := value(d.root, "stringData")
	if into == nil || into.Kind != yaml.MappingNode {
		drop(d.root, "stringData")
		into = mapping()
		put(d.root, "stringData", into)
	}
	put(into, k.Key.Name, text(k.Digest))
	d.edited = true
	return nil, nil
}

// rotate adds the hash to those of an entry.
func (k *APIKey) rotate(entry *yaml.Node, encoded bool) error {
	if entry.Kind != yaml.ScalarNode {
		return errors.New("the entry " + k.Key.Name + " of the Secret is no text")
	}
	old := entry.Value
	if encoded {
		plain, err := base64.StdEncoding.DecodeString(old)
		if err != nil {
			return errors.New("the entry " + k.Key.Name + " of the Secret is not in base64")
		}
		old = string(plain)
	}
	both := strings.TrimRight(old, "\r\n") + "\n" + k.Digest + "\n"
	if encoded {
		entry.Value = base64.StdEncoding.EncodeToString([]byte(both))
		return nil
	}
	entry.SetString(both) // a literal block
	return nil
}

// node is the key as the set lists it.
func (k *APIKey) node() *yaml.Node {
	n := mapping("name", text(k.Key.Name))
	if k.Key.Owner != "" {
		put(n, "owner", text(k.Key.Owner))
	}
	if len(k.Key.Groups) > 0 {
		put(n, "groups", texts(k.Key.Groups))
	}
	if e := k.Key.Expires; e != nil {
		put(n, "expires", text(e.UTC().Format("2006-01-02T15:04:05Z")))
	}
	scopes := list()
	for _, s := range k.Key.Scopes {
		scope := mapping()
		if s.Name != "" {
			put(scope, "name", text(s.Name))
		}
		for _, part := range []struct {
			name   string
			values []string
		}{{"hosts", s.Hosts}, {"paths", s.Paths}, {"methods", s.Methods}} {
			if len(part.values) > 0 {
				put(scope, part.name, texts(part.values))
			}
		}
		scopes.Content = append(scopes.Content, scope)
	}
	if len(scopes.Content) > 0 {
		put(n, "scopes", scopes)
	}
	return n
}

func (k *APIKey) newObject(version, kind, name, field string, value *yaml.Node) *yaml.Node {
	metadata := mapping("name", text(name), "namespace", text(k.Namespace))
	return mapping("apiVersion", text(version), "kind", text(kind), "metadata", metadata, field, value)
}

// inNamespace is the namespace that an object without one lives in.
func inNamespace(n string) string {
	if n == "" {
		return object.DefaultNamespace
	}
	return n
}
