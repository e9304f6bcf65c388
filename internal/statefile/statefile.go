// Package statefile writes the files of the state directory: keys, key sets and
// certificates that outlive the process.
package statefile

import (
	"errors"
	"os"
	"path/filepath"
)

// Write makes file hold data, whole or not at all, for its owner alone. Its
// directory is made where there is none.
func Write(file string, data []byte) error {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(file)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
