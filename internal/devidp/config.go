package devidp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/bcrypt"
)

// maxCost bounds the work of a password's check: 14 is about a second.
const maxCost = 14

// Config is a users file.
type Config struct {
	// Issuer is the provider's issuer URL, where it is not the address that it listens on: one that
	// a Service of the manifests stands for, as http://dex.auth.svc.cluster.local:5556/dex does.
	Issuer  string   `yaml:"issuer"`
	Clients []Client `yaml:"clients"`
	Users   []User   `yaml:"users"`
}

// Client is a program that may log users in.
type Client struct {
	ID string `yaml:"id"`
	// Secret is the client's; without it the client is public and must use PKCE.
	Secret string `yaml:"secret"`
	// RedirectURIs are where logins may come back to, to the letter.
	RedirectURIs []string `yaml:"redirectURIs"`
	// PostLogoutRedirectURIs are where logouts may come back to.
	PostLogoutRedirectURIs []string `yaml:"postLogoutRedirectURIs"`
}

// User is somebody who may log in.
type User struct {
	Email    string   `yaml:"email"` // is the subject of tokens too
	Name     string   `yaml:"name"`
	Password string   `yaml:"password"` // hashed by bcrypt
	Groups   []string `yaml:"groups"`
}

// ReadConfig reads a users file. name is how errors call it; they are all told, each with its line.
func ReadConfig(name string, data []byte) (*Config, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	c := new(Config)
	if err := d.Decode(c); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s is empty; it needs clients and users", name)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if d.Decode(new(yaml.Node)) != io.EOF {
		return nil, fmt.Errorf("%s: there is more than one document", name)
	}
	r := &reader{name: name}
	if err := yaml.Unmarshal(data, &r.root); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r.check(c)
	return c, errors.Join(r.errs...)
}

// reader looks for mistakes in a users file.
type reader struct {
	name string
	root yaml.Node
	errs []error
}

// bad notes a mistake in an entry of a list of the file.
func (r *reader) bad(list string, i int, format string, a ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s:%d: %s[%d]%s", r.name, r.line(list, i), list, i, fmt.Sprintf(format, a...)))
}

// line is where an entry of a list begins.
func (r *reader) line(list string, i int) int {
	if len(r.root.Content) == 0 {
		return 1
	}
	file := r.root.Content[0]
	for n := 0; n+1 < len(file.Content); n += 2 {
		if file.Content[n].Value == list && i < len(file.Content[n+1].Content) {
			return file.Content[n+1].Content[i].Line
		}
	}
	return file.Line
}

func (r *reader) check(c *Config) {
	if c.Issuer != "" && webURL(c.Issuer) != nil {
		r.errs = append(r.errs, fmt.Errorf("%s: issuer: %w", r.name, webURL(c.Issuer)))
	}
	if len(c.Clients) == 0 {
		r.errs = append(r.errs, fmt.Errorf("%s: clients: there is none; name the client of your LoginProvider, as in {id: doorward, redirectURIs: [https://cluster.localhost:8443/oauth2/callback]}", r.name))
	}
	if len(c.Users) == 0 {
		r.errs = append(r.errs, fmt.Errorf("%s: users: there is none; nobody could log in", r.name))
	}
	seen := map[string]bool{}
	for i, x := range c.Clients {
		if x.ID == "" || seen[x.ID] {
			r.bad("clients", i, ".id: %q is empty or there twice", x.ID)
		}
		seen[x.ID] = true
		if len(x.RedirectURIs) == 0 {
			r.bad("clients", i, ".redirectURIs: there is none; logins come back to one, as in https://cluster.localhost:8443/oauth2/callback")
		}
		for _, u := range append(x.RedirectURIs[:len(x.RedirectURIs):len(x.RedirectURIs)], x.PostLogoutRedirectURIs...) {
			if err := webURL(u); err != nil {
				r.bad("clients", i, ": %v", err)
			}
		}
	}
	seen = map[string]bool{}
	for i := range c.Users {
		r.user(i, &c.Users[i], seen)
	}
}

func (r *reader) user(i int, u *User, seen map[string]bool) {
	if a, err := mail.ParseAddress(u.Email); err != nil || a.Address != u.Email {
		r.bad("users", i, ".email: %q is no e-mail address, as alice@example.com is", u.Email)
	}
	u.Email = strings.ToLower(u.Email)
	if seen[u.Email] {
		r.bad("users", i, ".email: %s is there twice", u.Email)
	}
	seen[u.Email] = true
	cost, err := bcrypt.Cost([]byte(u.Password))
	switch {
	case err != nil:
		r.bad("users", i, ".password: not hashed by bcrypt; doorward hash-password makes such a hash")
	case cost > maxCost:
		r.bad("users", i, ".password: the hash's cost is %d, more than %d: each try would take seconds", cost, maxCost)
	}
	for _, g := range u.Groups {
		if strings.TrimSpace(g) == "" {
			r.bad("users", i, ".groups: one is empty")
		}
	}
}

func webURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is no http or https URL without query", text)
	}
	return nil
}

// HashPassword hashes a password for a users file. bcrypt takes 72 bytes at the most.
func HashPassword(password []byte) (string, error) {
	switch {
	case len(password) == 0:
		return "", errors.New("the password is empty")
	case len(password) > 72:
		return "", fmt.Errorf("the password has %d bytes, and bcrypt takes 72 at the most", len(password))
	}
	hash, err := bcrypt.GenerateFromPassword(password, bcrypt.DefaultCost)
	return string(hash), err
}
