package scaffold

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const exemptHead = `# The gateway's policies.
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: login # of people
  namespace: istio-system
spec:
`

func TestExemption(t *testing.T) {
	both := []string{"/mlflow", "/mlflow/*"}
	for _, c := range []struct {
		name, spec, want string
		op               Operation
		oneWay           bool // undo does not give the text again
	}{
		{
			name: "a list on lines", op: Operation{0, 0, both},
			spec: "  rules:\n  - to:\n    - operation:\n        notPaths:\n        - /dex/*   # the provider\n        - '/oauth2/*'  # the login\n    when: []\n",
			want: "  rules:\n  - to:\n    - operation:\n        notPaths:\n        - /dex/*   # the provider\n        - '/oauth2/*'  # the login\n        - '/mlflow'\n        - '/mlflow/*'\n    when: []\n",
		},
		{
			name: "a list on lines, indented, without quotes, at the end", op: Operation{0, 0, both},
			spec: "  rules:\n    - to:\n        - operation:\n            notPaths:\n              - /dex/*",
			want: "  rules:\n    - to:\n        - operation:\n            notPaths:\n              - /dex/*\n              - /mlflow\n              - /mlflow/*\n", oneWay: true,
		},
		{
			name: "a list on one line", op: Operation{0, 0, both},
			spec: "  rules:\n  - to: [{operation: {notPaths: [\"/dex/*\", \"/oauth2/*\"], methods: [GET]}}] # all but these\n",
			want: "  rules:\n  - to: [{operation: {notPaths: [\"/dex/*\", \"/oauth2/*\", \"/mlflow\", \"/mlflow/*\"], methods: [GET]}}] # all but these\n",
		},
		{
			name: "a list in brackets on lines", op: Operation{0, 0, both},
			spec: "  rules:\n  - to:\n    - operation:\n        notPaths: [\n          /dex/*, # a comment\n          /x,\n        ]\n",
			want: "  rules:\n  - to:\n    - operation:\n        notPaths: [\n          /dex/*, # a comment\n          /x, /mlflow, /mlflow/*,\n        ]\n",
		},
		{
			name: "an empty list", op: Operation{0, 0, both},
			spec: "  rules:\n  - to:\n    - operation: {methods: [GET], notPaths: []}\n",
			want: "  rules:\n  - to:\n    - operation: {methods: [GET], notPaths: [\"/mlflow\", \"/mlflow/*\"]}\n", oneWay: true,
		},
		{
			name: "no list", op: Operation{0, 0, both},
			spec: "  rules:\n  - to:\n    - operation:\n        methods: [GET] # only these\n        hosts: [a]\n",
			want: "  rules:\n  - to:\n    - operation:\n        notPaths: [\"/mlflow\", \"/mlflow/*\"]\n        methods: [GET] # only these\n        hosts: [a]\n",
		},
		{
			name: "no list, on one line", op: Operation{0, 0, both},
			spec: "  rules: [{to: [{operation: {methods: [GET]}}]}]\n",
			want: "  rules: [{to: [{operation: {notPaths: [\"/mlflow\", \"/mlflow/*\"], methods: [GET]}}]}]\n",
		},
		{
			name: "no operations", op: Operation{0, -1, both},
			spec: "  rules:\n  - from:\n    - source: {notRequestPrincipals: [\"*\"]}\n",
			want: "  rules:\n  - to: [{operation: {notPaths: [\"/mlflow\", \"/mlflow/*\"]}}]\n    from:\n    - source: {notRequestPrincipals: [\"*\"]}\n",
		},
		{
			name: "a rule for everything", op: Operation{0, -1, both},
			spec: "  rules: [{}]\n",
			want: "  rules: [{to: [{operation: {notPaths: [\"/mlflow\", \"/mlflow/*\"]}}]}]\n",
		},
		{
			name: "the second operation of the second rule", op: Operation{1, 1, []string{"/a b", "/ü"}},
			spec: "  rules:\n  - to: [{operation: {notPaths: [/x]}}]\n  - to:\n    - operation: {notPaths: [/x]}\n    - operation:\n        notPaths:\n        - /y\n",
			want: "  rules:\n  - to: [{operation: {notPaths: [/x]}}]\n  - to:\n    - operation: {notPaths: [/x]}\n    - operation:\n        notPaths:\n        - /y\n        - \"/a b\"\n        - \"/ü\"\n",
		},
		{
			name: "lines that end as Windows has them", op: Operation{0, 0, both},
			spec: "  rules:\r\n  - to:\r\n    - operation:\r\n        notPaths:\r\n        - /dex/*\r\n",
			want: "  rules:\r\n  - to:\r\n    - operation:\r\n        notPaths:\r\n        - /dex/*\r\n        - /mlflow\r\n        - /mlflow/*\r\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := "---\n# another\nkind: AuthorizationPolicy\nmetadata: {name: other}\nspec: {rules: [{to: [{operation: {notPaths: [/z]}}]}]}\n---\n" + exemptHead + c.spec
			x := Exemption{Name: "login", Line: 8, Operations: []Operation{c.op}}
			got, err := x.Edit([]byte(before))
			if err != nil {
				t.Fatal(err)
			}
			want := strings.TrimSuffix(before, c.spec) + c.want
			if string(got) != want {
				t.Fatalf("got\n%s\nwant\n%s", got, want)
			}
			undo := x
			undo.Undo = true
			if c.op.To < 0 {
				undo.Operations = []Operation{{c.op.Rule, 0, c.op.Paths}}
			}
			again, err := undo.Edit(got)
			if c.oneWay {
				return
			}
			if err != nil || string(again) != before {
				t.Errorf("undo: %v, got\n%s\nwant\n%s", err, again, before)
			}
		})
	}
}

// Of several policies the one of the name is edited, and of two of one name the nearest.
func TestExemptionFindsItsPolicy(t *testing.T) {
	one := func(name, paths string) string {
		return "kind: AuthorizationPolicy\nmetadata: {name: " + name + "}\nspec: {rules: [{to: [{operation: {notPaths: [" + paths + "]}}]}]}\n"
	}
	text := strings.Join([]string{one("log", "/1"), one("login", "/2"), one("login-more", "/3"), one("login", "/4")}, "---\n")
	for _, c := range []struct {
		name, want string
		line       int
	}{{"login", "[/2, /m]", 1}, {"login", "[/4, /m]", 13}, {"my-login-more-x", "[/3, /m]", 1}, {"my-log-in", "[/1, /m]", 13}} {
		x := Exemption{Name: c.name, Line: c.line, Operations: []Operation{{0, 0, []string{"/m"}}}}
		got, err := x.Edit([]byte(text))
		if err != nil || !strings.Contains(string(got), c.want) {
			t.Errorf("%s near line %d: %v, got\n%s\nwant %s", c.name, c.line, err, got, c.want)
		}
	}
}

func TestExemptionLeavesAlone(t *testing.T) {
	for _, c := range []struct{ name, spec, why string }{
		{"an alias", "  rules:\n  - to: &all [{operation: {notPaths: [/x]}}]\n  - to: *all\n", "alias"},
		{"another kind of list", "  rules:\n  - to: [{operation: {notPaths: [/x]}}]\n  - to: [{operation: {notPaths: /y}}]\n", "no list"},
		{"no such rule", "  rules: [{to: []}]\n", "no element 1"},
		{"a text over lines", "  rules: [{}, {to: [{operation: {notPaths: [\"/x\n      y\"]}}]}]\n", "not edited"},
		{"a list that is null", "  rules: [{}, {to: [{operation: {notPaths: null}}]}]\n", "empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := Exemption{Name: "login", Operations: []Operation{{1, 0, []string{"/m"}}}}
			if got, err := x.Edit([]byte(exemptHead + c.spec)); err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("got %v, want an error with %q; the text is\n%s", err, c.why, got)
			}
		})
	}
}

// FuzzExemption: whatever the file, an edit that is made changes the lists alone, and undo
// takes it back as far as the values go.
func FuzzExemption(f *testing.F) {
	f.Add(exemptHead+"  rules:\n  - to:\n    - operation:\n        notPaths:\n        - /dex/*\n", "/a")
	f.Add(exemptHead+"  rules: [{to: [{operation: {notPaths: ['/x', \"/y\", /z]}}]}]\n", "/é")
	f.Add("kind: List\nitems:\n- kind: AuthorizationPolicy\n  metadata: {name: login}\n  spec: {rules: [{to: [{operation: {}}]}]}\n", "/'\"")
	f.Fuzz(func(t *testing.T, text, path string) {
		x := Exemption{Name: "login", Operations: []Operation{{0, 0, []string{path, path + "/*"}}}}
		got, err := x.Edit([]byte(text))
		if err != nil {
			return
		}
		if _, err := values(got); err != nil {
			t.Errorf("%q becomes %q, which cannot be read: %v", text, got, err)
		}
		undo := x
		undo.Undo = true
		_, _ = undo.Edit(got)
	})
}

// What diff -u makes of texts, Unified makes too, as far as patch is concerned.
func TestUnified(t *testing.T) {
	patch, err := exec.LookPath("patch")
	if err != nil {
		t.Log("patch is not there: only the texts are compared")
	}
	long := strings.Repeat("same\n", 20)
	for _, c := range []struct{ name, before, after, want string }{
		{"nothing", long, long, ""},
		{"one line more", "a\nb\nc\nd\ne\nf\n", "a\nb\nc\nx\nd\ne\nf\n", "--- f\n+++ f\n@@ -1,6 +1,7 @@\n a\n b\n c\n+x\n d\n e\n f\n"},
		{"one line less", "a\nb\nc\n", "a\nc\n", "--- f\n+++ f\n@@ -1,3 +1,2 @@\n a\n-b\n c\n"},
		{"no line break at the end", "a\nb", "a\nb\nc", "--- f\n+++ f\n@@ -1,2 +1,3 @@\n a\n-b\n\\ No newline at end of file\n+b\n+c\n\\ No newline at end of file\n"},
		{"two places", "x\n" + long + "y\n", "x2\n" + long + "y2\n", ""},
		{"from nothing", "", "a\n", "--- f\n+++ f\n@@ -0,0 +1,1 @@\n+a\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Unified("f", []byte(c.before), []byte(c.after))
			if c.want != "" && got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if patch == "" || c.before == "" || got == "" {
				return
			}
			name := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(name, []byte(c.before), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(patch, "--silent", name)
			cmd.Stdin = strings.NewReader(got)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s of\n%s", err, out, got)
			}
			if after, _ := os.ReadFile(name); string(after) != c.after {
				t.Errorf("patch makes\n%s\nwant\n%s", after, c.after)
			}
		})
	}
}
