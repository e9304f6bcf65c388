package explain

import "testing"

func TestPathNear(t *testing.T) {
	for _, c := range []struct {
		asked        string
		nearer, less string // paths of rules
	}{
		{"/myap/", "/myapp/", "/myapp-prefixed/"},
		{"/mlfow/x", "/mlflow/", "/ml/"},
		{"/serving/shop/a", "/serving/shpo/", "/serving/other/"},
		{"/pipeline", "/pipeline/", "/pipe"},
	} {
		if n, l := pathNear(c.nearer, c.asked), pathNear(c.less, c.asked); n <= l {
			t.Errorf("to %s, %s is as near as %d, %s as %d", c.asked, c.nearer, n, c.less, l)
		}
	}
}

func TestMeant(t *testing.T) {
	for _, c := range []struct{ rule, asked, want string }{
		{"/myapp/", "/myap/x?", "/myapp/x?"},
		{"/myapp/", "/myap", "/myapp/"},
		{"/serving/shop/", "/servin/shpo/a", "/serving/shop/a"},
		{"/myapp", "/mapp", "/myapp"},
		{"/myapp/", "/myapp/", ""}, // nothing is mistyped
		{"/myapp/", "/other/", ""}, // nor here
		{"/a/b/c/", "/a/bb", ""},   // what is missing nobody mistyped
		{"/", "/myapp", ""},
	} {
		got, ok := meant(c.rule, c.asked)
		if !ok {
			got = ""
		}
		if got != c.want {
			t.Errorf("by %s of %s is meant %q, want %q", c.asked, c.rule, got, c.want)
		}
	}
}
