package devidp

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

const hash = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"

func TestReadConfig(t *testing.T) {
	c, err := ReadConfig("users.yaml", []byte(`issuer: http://dex.auth.svc.cluster.local:5556/dex
clients:
  - id: doorward
    secret: s
    redirectURIs: [https://cluster.localhost:8443/oauth2/callback]
users:
  - {email: Alice@example.com, name: Alice, password: `+hash+`, groups: [admins]}
`))
	if err != nil {
		t.Fatal(err)
	}
	if u := c.Users[0]; u.Email != "alice@example.com" || u.Name != "Alice" || !slices.Equal(u.Groups, []string{"admins"}) || c.Clients[0].ID != "doorward" {
		t.Errorf("got %+v", c)
	}
}

func TestReadConfigTellsMistakes(t *testing.T) {
	const good = "clients: [{id: a, redirectURIs: [https://a.localhost/cb]}]\nusers:\n- {email: a@b.c, password: " + hash + "}\n"
	for _, c := range []struct {
		file string
		want []string // lines of the error; the beginning of each
	}{
		{"", []string{"u.yaml is empty; it needs clients and users"}},
		{"users: 1", []string{"u.yaml: yaml: unmarshal errors:", "  line 1: cannot unmarshal"}},
		{strings.Replace(good, "email", "mail", 1), []string{"u.yaml: yaml: unmarshal errors:", "  line 3: field mail not found"}},
		{good + "---\n" + good, []string{"u.yaml: there is more than one document"}},
		{"clients: []", []string{"u.yaml: clients: there is none; name the client", "u.yaml: users: there is none; nobody"}},
		{good + "- {email: A@b.c, password: x}", []string{"u.yaml:4: users[1].email: a@b.c is there twice", "u.yaml:4: users[1].password: not hashed by bcrypt; doorward hash-password makes"}},
		{good + "- {email: Bob, password: " + strings.Replace(hash, "$10$", "$15$", 1) + ", groups: [\" \"]}", []string{
			`u.yaml:4: users[1].email: "Bob" is no e-mail address`, "u.yaml:4: users[1].password: the hash's cost is 15, more than 14", "u.yaml:4: users[1].groups: one is empty"}},
		{strings.Replace(good, "https://a.localhost/cb", "/cb", 1), []string{`u.yaml:1: clients[0]: "/cb" is no http or https URL`}},
		{strings.Replace(good, "id: a, ", "", 1), []string{`u.yaml:1: clients[0].id: "" is empty`}},
		{strings.Replace(good, ", redirectURIs: [https://a.localhost/cb]", "", 1), []string{"u.yaml:1: clients[0].redirectURIs: there is none"}},
		{"issuer: dex\n" + good, []string{`u.yaml: issuer: "dex" is no http or https URL`}},
	} {
		_, err := ReadConfig("u.yaml", []byte(c.file))
		if err == nil {
			t.Errorf("%s\n is taken", c.file)
			continue
		}
		got := strings.Split(err.Error(), "\n")
		if len(got) != len(c.want) {
			t.Errorf("%s\n got %q, want %q", c.file, got, c.want)
			continue
		}
		for i, want := range c.want {
			if !strings.HasPrefix(got[i], want) {
				t.Errorf("%s\n got %q, want %q", c.file, got[i], want)
			}
		}
	}
}

func TestHashPassword(t *testing.T) {
	hash, err := HashPassword([]byte("secret"))
	if err != nil || bcrypt.CompareHashAndPassword([]byte(hash), []byte("secret")) != nil {
		t.Errorf("got %s (%v)", hash, err)
	}
	for _, bad := range []string{"", strings.Repeat("x", 73)} {
		if _, err := HashPassword([]byte(bad)); err == nil {
			t.Errorf("a password of %d bytes is hashed", len(bad))
		}
	}
}

func FuzzReadConfig(f *testing.F) {
	f.Add([]byte("clients: [{id: a, redirectURIs: [https://a.localhost/cb]}]\nusers:\n- {email: a@b.c, password: " + hash + "}\n"))
	f.Add([]byte("users: [1, &a [*a]]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ReadConfig("u.yaml", data); err == nil && (len(c.Users) == 0 || len(c.Clients) == 0) {
			t.Errorf("%q is taken and lets nobody in", data)
		}
	})
}
