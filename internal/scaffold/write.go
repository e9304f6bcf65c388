package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write makes a directory of files, the whole of it or nothing. A directory that is there
// is left as it is: that is an error, which names a file of it.
func Write(dir string, files []File) error {
	if err := Absent(dir); err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+".*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) // it is gone if all went well
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	if err := WriteIn(temp, files); err != nil {
		return err
	}
	if err := Absent(dir); err != nil {
		return err
	}
	return os.Rename(temp, dir) // fails where somebody has made it meanwhile and put something in
}

// WriteIn writes files below a directory that nobody else looks at.
func WriteIn(dir string, files []File) error {
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(f.Text), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// Absent fails if there is something of a name; of a directory it names a file.
func Absent(dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	there := dir
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			there = name
			return fs.SkipAll
		}
		return nil
	})
	return fmt.Errorf("%s is there already, and nothing is overwritten", there)
}
