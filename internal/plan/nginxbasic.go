package plan

import (
	"encoding/base64"
	"strings"
)

// BasicAuth lets in who shows a name and password of its users (auth-type basic).
type BasicAuth struct {
	Realm  string
	Users  map[string]string // hashes of passwords, by name
	Origin Origin
}

// Passwords compares passwords with hashes. It is a part of World, as that takes long
// on purpose.
type Passwords interface {
	// Password tells whether password is the one of a hash of htpasswd.
	Password(hash, password string) bool
}

func (g *BasicAuth) check(w *walk) bool {
	name, password, why := credentials(w)
	if why == "" {
		hash, known := g.Users[name]
		if !known { // who is not a user costs as much as who is
			for _, hash = range g.Users {
				break
			}
		}
		if hash != "" && w.world.Password(hash, password) && known {
			return false
		}
		why = "the name or password is wrong"
	}
	r := Reply{Status: 401, Reason: why}
	r.Header.Add("www-authenticate", `Basic realm="`+g.Realm+`"`)
	w.reply(r)
	return true
}

// credentials are the name and password that a request shows, or why it shows none.
func credentials(w *walk) (name, password, why string) {
	v, n := "", 0
	for _, f := range w.req.Header {
		if f.Name == "authorization" {
			v, n = f.Value, n+1
		}
	}
	scheme, rest, _ := strings.Cut(v, " ")
	switch {
	case n == 0:
		return "", "", "nobody is named"
	case n > 1 || !strings.EqualFold(scheme, "basic"):
		return "", "", "Authorization is not one of Basic"
	}
	data, err := base64.StdEncoding.DecodeString(strings.TrimLeft(rest, " "))
	name, password, ok := strings.Cut(string(data), ":")
	if err != nil || !ok || name == "" {
		return "", "", "Authorization holds no name and password"
	}
	return name, password, ""
}

func (g *BasicAuth) String() string { return "a user of realm \"" + g.Realm + "\"" }
