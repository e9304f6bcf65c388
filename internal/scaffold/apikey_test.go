package scaffold

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/api/v1alpha1"
)

const digest = "sha256:0d97e57544ea1dea72e000dfe19440f15aa0bceeb95bb6652b1663d1ac059f50"

func newKey(name string) *APIKey {
	return &APIKey{Namespace: "shop", Set: "partners", Key: v1alpha1.APIKey{Name: name}, Digest: digest}
}

const set = "apiVersion: doorward.dev/v1alpha1\nkind: APIKeySet\nmetadata: {name: partners, namespace: shop}\nspec:\n  secretName: hashes\n"

const secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: hashes, namespace: shop}\n"

func TestAddTo(t *testing.T) {
	for _, c := range []struct {
		name, file string
		key        *APIKey
		want       string // what the file is made, or the error
	}{
		{"nothing there", "", newKey("a"), "apiVersion: doorward.dev/v1alpha1\nkind: APIKeySet\nmetadata:\n  name: partners\n  namespace: shop\nspec:\n  secretName: partners\n  keys:\n  - name: a\n" +
			"---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: partners\n  namespace: shop\nstringData:\n  a: " + digest + "\n"},
		{"no keys yet", set + "  keys: []\n---\n" + secret, newKey("a"), set[:len(set)-1] + "\n  keys:\n  - name: a\n---\n" + secret + "stringData:\n  a: " + digest + "\n"},
		{"keys is null", set + "  keys:\n---\n" + secret + "stringData:\n", newKey("a"), set + "  keys:\n  - name: a\n---\n" + secret + "stringData:\n  a: " + digest + "\n"},
		{"a mark at the beginning, Windows' ends of lines elsewhere", "--- \n" + set + "---\r\na: 1\r\nb: 2\r\n---\n" + secret + "stringData: {b: x}\n", newKey("a"),
			"--- \n" + set + "  keys:\n  - name: a\n---\r\na: 1\r\nb: 2\r\n---\n" + secret + "stringData: {b: x, a: '" + digest + "'}\n"},
		{"another namespace's set", strings.ReplaceAll(set+"---\n"+secret, "namespace: shop", "namespace: other"), newKey("a"), ""},
		{"a name that YAML 1.1 reads as false", set + "---\n" + secret, newKey("off"), set + "  keys:\n  - name: \"off\"\n---\n" + secret + "stringData:\n  \"off\": " + digest + "\n"},
		{"an entry in base64", set + "  keys: [{name: a}]\n---\n" + secret + "data: {a: eA==}\n", newKey("a"), "error: APIKeySet shop/partners has a key a already"},
		{"only the Secret has it", set + "---\n" + secret + "data: {a: eA==}\n", newKey("a"), "error: the Secret shop/hashes has an entry a already"},
		{"a set without Secret", strings.Replace(set, "secretName: hashes", "forward: true", 1), newKey("a"), "error: APIKeySet shop/partners names no secretName"},
		{"a List", "kind: List\napiVersion: v1\nitems: []\n", newKey("a"), "error: the file has a List, which is not edited; take it apart first"},
	} {
		got, err := c.key.AddTo([]byte(c.file))
		text := string(got)
		if err != nil {
			text = "error: " + err.Error()
		}
		if c.want == "" {
			if !strings.HasPrefix(text, c.file+"---\n") {
				t.Errorf("%s: got\n%s\nwant it to begin as it was", c.name, text)
			}
		} else if text != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, text, c.want)
		}
	}
}

func TestRotate(t *testing.T) {
	k := newKey("a")
	k.Rotate = true
	for _, c := range []struct{ name, entry, want string }{
		{"text", "stringData:\n  a: sha256:00\n", "stringData:\n  a: |\n    sha256:00\n    " + digest + "\n"},
		{"a block", "stringData:\n  a: |\n    sha256:00\n    sha256:01\n", "stringData:\n  a: |\n    sha256:00\n    sha256:01\n    " + digest + "\n"},
		{"base64", "data:\n  a: c2hhMjU2OjAw\n", "data:\n  a: c2hhMjU2OjAwCnNoYTI1NjowZDk3ZTU3NTQ0ZWExZGVhNzJlMDAwZGZlMTk0NDBmMTVhYTBiY2VlYjk1YmI2NjUyYjE2NjNkMWFjMDU5ZjUwCg==\n"},
	} {
		file := set + "  keys: [{name: a}] # ours\n---\n" + secret
		got, err := k.AddTo([]byte(file + c.entry))
		if err != nil || string(got) != file+c.want {
			t.Errorf("%s: got\n%s\n%v, want\n%s", c.name, got, err, file+c.want)
		}
	}
}

// Whatever file there is, a key that was added is there, and cannot be added again.
func FuzzAddTo(f *testing.F) {
	f.Add(set + "  keys: []\n---\n" + secret)
	f.Add(set + "  keys: [{name: a}]\n---\n" + secret + "data: {a: eA==}\n")
	f.Add("--- \n# c\n---\n" + secret + "stringData: &x\n  b: |\n    y\n---\nother: *x\n")
	f.Add("a: [\n")
	f.Fuzz(func(t *testing.T, file string) {
		got, err := newKey("a").AddTo([]byte(file))
		if err != nil {
			return
		}
		if !strings.Contains(string(got), digest) {
			t.Fatalf("the hash is not in\n%s", got)
		}
		if again, err := newKey("a").AddTo(got); err == nil {
			t.Fatalf("it was added again:\n%s\n%s", got, again)
		}
	})
}
