package login

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/plan"
)

// session is one login of a browser, as the sealed cookie holds it.
type session struct {
	ID      string `json:"i"` // random; the same through all refreshes
	Serial  int    `json:"n"` // refreshes so far
	Began   int64  `json:"b"` // seconds, by our clock
	Issued  int64  `json:"t"` // of the first ID token, by the provider's
	IDToken string `json:"d"`
	Refresh string `json:"r,omitempty"`
	// SID is the provider's session (OpenID Connect Back-Channel Logout, section 2.1).
	SID string `json:"s,omitempty"`

	user    user
	expires time.Time // of the ID token
	margin  time.Duration
}

// user is what the ID token says.
type user struct {
	Subject, Email, PreferredUsername string
	Groups                            []string
}

func random() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// readToken fills what the ID token says. The token was verified when it came, and the
// seal has kept it since.
func (s *session) readToken(groupsClaim string) error {
	parts := strings.Split(s.IDToken, ".")
	if len(parts) != 3 {
		return fmt.Errorf("the ID token has %d parts", len(parts))
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	var c struct {
		Sub, Email, SID   string
		PreferredUsername string `json:"preferred_username"`
		Exp, Iat          float64
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	s.user = user{c.Sub, c.Email, c.PreferredUsername, groupsOf(all[groupsClaim])}
	if s.SID == "" {
		s.SID = c.SID
	}
	if s.Issued == 0 {
		s.Issued = int64(c.Iat)
	}
	s.expires = time.Unix(int64(c.Exp), 0)
	// A refresh begins a minute before the end, or in the last fifth of a short token's life.
	s.margin = max(0, min(time.Minute, time.Duration((c.Exp-c.Iat)/5*float64(time.Second))))
	return nil
}

// groupsOf reads a claim that is a text or a list of texts.
func groupsOf(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	return nil
}

// ends is when the login ends, whatever is refreshed.
func (s *session) ends(p *plan.LoginProvider) time.Time {
	return time.Unix(s.Began, 0).Add(p.SessionLifetime)
}

// headers are what an application is told of the user.
func (s *session) headers(p *plan.LoginProvider) header.Fields {
	var f header.Fields
	if p.Authorization {
		f.Add("authorization", "Bearer "+s.IDToken)
	}
	if p.XAuthRequest {
		for _, h := range [...]header.Field{
			{Name: "x-auth-request-user", Value: s.user.Subject},
			{Name: "x-auth-request-email", Value: s.user.Email},
			{Name: "x-auth-request-groups", Value: strings.Join(s.user.Groups, ",")},
			{Name: "x-auth-request-preferred-username", Value: s.user.PreferredUsername},
		} {
			if h.Value != "" && plain(h.Value) {
				f = append(f, h)
			}
		}
	}
	return f
}

// plain tells whether a text may stand in a header field.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// opened remembers sessions by their sealed text, so that a cookie is not unsealed anew
// for each request. It is two generations, as internal/jwt's cache is.
type opened struct {
	bytes int // of one generation

	mu         sync.Mutex // guards:
	young, old map[string]*session
	size       int
}

func newOpened() *opened { return &opened{bytes: 8 << 20, young: map[string]*session{}} }

func (o *opened) get(sealed string) *session {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.young[sealed]; s != nil {
		return s
	}
	s := o.old[sealed]
	if s != nil {
		o.keep(sealed, s)
	}
	return s
}

func (o *opened) put(sealed string, s *session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep(sealed, s)
}

func (o *opened) keep(sealed string, s *session) {
	if o.young[sealed] != nil {
		return
	}
	cost := len(sealed) + 2*len(s.IDToken) + len(s.Refresh) + 512
	if o.size+cost > o.bytes {
		o.old, o.young, o.size = o.young, map[string]*session{}, 0
	}
	o.young[sealed], o.size = s, o.size+cost
}
