package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// rewriting is a file that is to hold something else.
type rewriting struct {
	file          string
	before, after []byte
}

func names(all []rewriting) []string {
	list := make([]string, len(all))
	for i := range all {
		list[i] = all[i].file
	}
	return list
}

// rewrite writes all files or none: none if one of them does not hold what it held when
// it was read, or cannot be written. Each changes as a whole.
func rewrite(all []rewriting) (err error) {
	var ready []string // new texts, beside their files
	defer func() {
		for _, name := range ready {
			_ = os.Remove(name) // it is gone if it was put in place
		}
	}()
	targets := make([]string, len(all))
	for i := range all {
		w := &all[i]
		if targets[i], err = filepath.EvalSymlinks(w.file); err != nil {
			return err
		}
		name, err := beside(targets[i], w.after)
		if name != "" {
			ready = append(ready, name)
		}
		if err != nil {
			return err
		}
	}
	for i := range all {
		if now, err := os.ReadFile(targets[i]); err != nil || !bytes.Equal(now, all[i].before) {
			return fmt.Errorf("nothing is written: %s has changed meanwhile", all[i].file)
		}
	}
	for i := range all {
		if err := os.Rename(ready[i], targets[i]); err != nil {
			for j := range i { // those that are written are put back
				err = errors.Join(err, putBack(&all[j], targets[j]))
			}
			return err
		}
	}
	return nil
}

// putBack gives a file the text that it had.
func putBack(w *rewriting, target string) error {
	name, err := beside(target, w.before)
	if err == nil {
		err = os.Rename(name, target)
	}
	if err != nil {
		return fmt.Errorf("%s has changed, and cannot be put back: %w", w.file, err)
	}
	return nil
}

// create writes a file that is not there yet, for its owner alone.
func create(file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(file)
	}
	return err
}

// beside writes a text into a new file in the directory of another, with its mode. A
// file that nobody may write is protected from us, too, whatever its directory allows.
func beside(file string, text []byte) (name string, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o222 == 0 {
		return "", fmt.Errorf("nothing is written: %s is read-only (chmod u+w %s)", file, file)
	}
	temp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return "", err
	}
	_, err = temp.Write(text)
	return temp.Name(), errors.Join(err, temp.Chmod(info.Mode().Perm()), temp.Sync(), temp.Close())
}
