package login

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/statefile"
)

const (
	keysFile = "login-keys.json"
	// rotateAfter is how long a key that was made here seals; keepFor how long it opens
	// afterwards, beyond the longest session.
	rotateAfter = 7 * 24 * time.Hour
	keepFor     = MaxLifetime + 24*time.Hour
)

// madeKeys are the keys that seal the cookies of providers without a secret of their
// own. They are made here, rotated, and kept in the state directory.
type madeKeys struct {
	file string // "": in memory
	now  func() time.Time

	mu   sync.Mutex // guards:
	made []madeKey  // the newest first
	ring *keyring
}

type madeKey struct {
	Made   time.Time `json:"made"`
	Secret []byte    `json:"secret"`
}

func newMadeKeys(state string, now func() time.Time) (*madeKeys, error) {
	m := &madeKeys{now: now}
	if state == "" {
		return m, nil
	}
	m.file = filepath.Join(state, keysFile)
	data, err := os.ReadFile(m.file)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &m.made)
	}
	for _, k := range m.made {
		if err == nil && len(k.Secret) < 32 {
			err = errors.New("a key is too short")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the keys of login cookies: %s: %w (without the file everybody logs in anew)", m.file, err)
	}
	return m, nil
}

// current is the ring of now; it makes a new key when the newest is old.
func (m *madeKeys) current() (*keyring, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if m.ring != nil && now.Before(m.made[0].Made.Add(rotateAfter)) {
		return m.ring, nil
	}
	made := slices.Clone(m.made)
	if len(made) == 0 || !now.Before(made[0].Made.Add(rotateAfter)) {
		k := madeKey{now, make([]byte, 32)}
		_, _ = rand.Read(k.Secret) // it never fails
		made = slices.Insert(made, 0, k)
	}
	made = slices.DeleteFunc(made, func(k madeKey) bool { return now.After(k.Made.Add(rotateAfter + keepFor)) })
	if m.file != "" {
		data, err := json.Marshal(made)
		if err == nil {
			err = statefile.Write(m.file, data)
		}
		if err != nil {
			return nil, fmt.Errorf("the keys of login cookies cannot be kept: %w", err)
		}
	}
	var secrets []string
	for _, k := range made {
		secrets = append(secrets, string(k.Secret))
	}
	ring, err := newKeyring(secrets...)
	if err != nil {
		return nil, err
	}
	m.made, m.ring = made, ring
	return ring, nil
}
