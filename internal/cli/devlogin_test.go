package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const devUsers = `clients: [{id: doorward, redirectURIs: [https://cluster.localhost:8443/oauth2/callback]}]
users: [{email: alice@example.com, password: $2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy}]
`

// The development login is for one machine, unless that is said twice.
func TestDevLoginStaysOnTheMachine(t *testing.T) {
	dir := t.TempDir()
	users, broken := filepath.Join(dir, "users.yaml"), filepath.Join(dir, "broken.yaml")
	for file, text := range map[string]string{users: devUsers, broken: "users: []\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	local := []string{"--http", "127.0.0.1:0", "--https", "localhost:0"}
	for _, c := range []struct {
		args []string
		want string // part of the error; "" none
	}{
		{append(local, "--dev-login", users), ""},
		{append(local, "--dev-login", users, "--dev-login-address", "[::1]:0", "--listen", "a/b:80=127.0.0.1:0"), ""},
		{[]string{"--http", "off", "--https", "off", "--dev-login", users}, ""},
		{[]string{"--dev-login", users, "--dev-login-anywhere"}, ""},
		{[]string{"--dev-login", users}, "--http :8080 is open to others; give --http 127.0.0.1:8080, or say it twice with --dev-login-anywhere"},
		{[]string{"--dev-login", users, "--http", "off", "--https", "192.0.2.1:443"}, "--https 192.0.2.1:443 is open to others"},
		{append(local, "--dev-login", users, "--dev-login-address", "0.0.0.0:5556"), "--dev-login-address 0.0.0.0:5556 is open"},
		{append(local, "--dev-login", users, "--dev-login-address", "5556"), "as in --dev-login-address 127.0.0.1:5556"},
		{append(local, "--dev-login", users, "--listen", "a/b:80=:80"), "--listen a/b:80=:80 is open to others; give --listen a/b:80=127.0.0.1:80"},
		{append(local, "--dev-login", users, "--http", "box.localhost.example:80"), "is open to others"},
		{append(local, "--dev-login", broken), "broken.yaml: users: there is none"},
		{append(local, "--dev-login", filepath.Join(dir, "none.yaml")), "no such file"},
	} {
		cmd, v := newServe(), new(serving)
		cmd.ResetFlags()
		bindServe(cmd, v)
		if err := cmd.ParseFlags(append([]string{"-f", dir}, c.args...)); err != nil {
			t.Fatal(err)
		}
		o, err := v.options(cmd)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.login.check(o)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("serve %s:\n got %v\nwant %q", strings.Join(c.args, " "), err, c.want)
		}
	}
}

func TestHashPasswordReadsALine(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := Main([]string{"hash-password"}, strings.NewReader("secret\r\nnext"), &out, &errOut); code != exitOK || !strings.HasPrefix(out.String(), "$2a$10$") {
		t.Errorf("got %d %q %q", code, out.String(), errOut.String())
	}
	if code := Main([]string{"hash-password"}, strings.NewReader("\n"), &out, &errOut); code != exitMisused || !strings.Contains(errOut.String(), "the password is empty") {
		t.Errorf("an empty line: got %d %q", code, errOut.String())
	}
}
