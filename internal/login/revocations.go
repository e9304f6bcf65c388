package login

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/statefile"
)

const (
	revokedFile = "login-logouts.jsonl"
	// maxRevoked bounds the logouts that are remembered; beyond it those are forgotten
	// whose sessions end first.
	maxRevoked = 100_000
)

// revocation is a logout that sealed cookies do not know of: of one session of ours, of
// one of the provider's, or of all of a subject that were issued by then.
type revocation struct {
	Key     string `json:"k"` // of the LoginProvider
	ID      string `json:"i,omitempty"`
	SID     string `json:"s,omitempty"`
	Subject string `json:"u,omitempty"`
	Issued  int64  `json:"t,omitempty"` // of the logout of a subject, by the provider's clock
	Until   int64  `json:"e"`           // when every such session has ended anyway
}

func (r *revocation) name() string {
	switch {
	case r.ID != "":
		return "id\x00" + r.Key + "\x00" + r.ID
	case r.SID != "":
		return "sid\x00" + r.Key + "\x00" + r.SID
	}
	return "sub\x00" + r.Key + "\x00" + r.Subject
}

// revocations are the logouts that still matter, kept in the state directory.
type revocations struct {
	now  func() time.Time
	file string // "": in memory

	mu      sync.RWMutex // guards:
	by      map[string]revocation
	out     *os.File // what is appended to
	written int      // lines in the file
}

func newRevocations(state string, now func() time.Time) (*revocations, error) {
	r := &revocations{now: now, by: map[string]revocation{}}
	if state == "" {
		return r, nil
	}
	r.file = filepath.Join(state, revokedFile)
	data, err := os.ReadFile(r.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the logouts: %w", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var one revocation
		if json.Unmarshal(lines.Bytes(), &one) == nil && one.Until > now().Unix() {
			r.by[one.name()] = one // a line cut short by a crash is left out
		}
	}
	r.forget()
	if err := r.rewrite(); err != nil {
		return nil, fmt.Errorf("the logouts cannot be kept: %w", err)
	}
	return r, nil
}

// has tells whether a session of the LoginProvider called key was logged out.
func (r *revocations) has(key string, x *session) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.by) == 0 {
		return false
	}
	for _, q := range [...]revocation{{Key: key, ID: x.ID}, {Key: key, SID: x.SID}, {Key: key, Subject: x.user.Subject}} {
		if q.ID == "" && q.SID == "" && q.Subject == "" {
			continue
		}
		if one, ok := r.by[q.name()]; ok && (q.Subject == "" || x.Issued <= one.Issued) {
			return true
		}
	}
	return false
}

// add remembers a logout.
func (r *revocations) add(one revocation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, ok := r.by[one.name()]; ok && old.Issued > one.Issued {
		return
	}
	r.by[one.name()] = one
	if len(r.by) > maxRevoked {
		r.forget()
	}
	if r.file == "" {
		return
	}
	if r.out == nil || r.written > 2*maxRevoked {
		_ = r.rewrite() // in memory it is kept in any case
		return
	}
	line, _ := json.Marshal(one) // of texts and numbers
	_, _ = r.out.Write(append(line, '\n'))
	r.written++
}

func (r *revocations) forget() {
	keep := len(r.by)
	if keep > maxRevoked {
		keep = maxRevoked * 9 / 10
	}
	forgetOldest(r.by, r.now(), keep, func(x revocation) time.Time { return time.Unix(x.Until, 0) })
}

// rewrite writes the file anew and goes on at its end.
func (r *revocations) rewrite() error {
	var text bytes.Buffer
	for _, one := range r.by {
		line, _ := json.Marshal(one) // of texts and numbers
		text.Write(append(line, '\n'))
	}
	if err := statefile.Write(r.file, text.Bytes()); err != nil {
		return err
	}
	f, err := os.OpenFile(r.file, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if r.out != nil {
		_ = r.out.Close()
	}
	r.out, r.written = f, len(r.by)
	return nil
}

func (r *revocations) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out == nil {
		return nil
	}
	err := r.out.Close()
	r.out = nil
	return err
}
