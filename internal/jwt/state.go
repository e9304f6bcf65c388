package jwt

import (
	"os"
	"path/filepath"

	"github.com/doorward/doorward/internal/statefile"
)

// file is where the keys of a set are kept over restarts; "" nowhere. The name
// is a digest, so that no issuer chooses it.
func (k *keySet) file() string {
	if k.store.o.State == "" {
		return ""
	}
	return filepath.Join(k.store.o.State, "jwks", k.rule.Load().Keys.Key+".json")
}

// restore takes the keys that were last fetched, maybe by an earlier process:
// better old keys than none while the issuer is away.
func (k *keySet) restore() {
	file := k.file()
	if file == "" {
		return
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return // it was never fetched
	}
	read, err := readKeys(data, false)
	if err != nil {
		k.store.o.Log.Warn("a kept key set cannot be read; it is fetched anew", "file", file, "error", err)
		return
	}
	k.keys.Store(read)
}

// keep writes the keys to the state directory, at once or not at all.
func (k *keySet) keep(keys *keys) {
	file := k.file()
	if file == "" {
		return
	}
	if err := statefile.Write(file, keys.data); err != nil {
		k.store.o.Log.Warn("a key set cannot be kept; a restart will need its issuer", "file", file, "error", err)
	}
}
