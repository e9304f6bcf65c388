package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/doorward/doorward/internal/problem"
)

// maxFile bounds what is read of one file or stream, in bytes.
const maxFile = 64 << 20

// disk reads files: from fsys, or when that is nil from the machine.
type disk struct {
	fsys   fs.FS
	edited map[string][]byte // Options.Edited
}

func newDisk(o Options) disk { return disk{o.FS, o.Edited} }

func inFS(name string) string { return path.Clean(filepath.ToSlash(name)) }

func (d disk) stat(name string) (fs.FileInfo, error) {
	if d.fsys != nil {
		return fs.Stat(d.fsys, inFS(name))
	}
	return os.Stat(name)
}

func (d disk) readDir(name string) ([]fs.DirEntry, error) {
	if d.fsys != nil {
		return fs.ReadDir(d.fsys, inFS(name))
	}
	return os.ReadDir(name)
}

func (d disk) open(name string) (io.ReadCloser, error) {
	if d.fsys != nil {
		return d.fsys.Open(inFS(name))
	}
	return os.Open(name)
}

// read reads a file of at most maxFile bytes.
func (d disk) read(name string) ([]byte, error) {
	if text, ok := d.edit(name); ok {
		return text, nil
	}
	f, err := d.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f)
}

// edit is what a file is taken to hold, by whatever name it goes.
func (d disk) edit(name string) ([]byte, bool) {
	if len(d.edited) == 0 {
		return nil, false
	}
	real := d.real(name)
	for edited, text := range d.edited {
		if d.real(edited) == real {
			return text, true
		}
	}
	return nil, false
}

// real is the one name of a file on the machine.
func (d disk) real(name string) string {
	if d.fsys != nil {
		return inFS(name)
	}
	if abs, err := filepath.Abs(name); err == nil {
		name = abs
	}
	if links, err := filepath.EvalSymlinks(name); err == nil {
		name = links
	}
	return filepath.Clean(name)
}

func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("more than %d MiB", maxFile>>20)
	}
	return data, nil
}

// manifest is a file to read.
type manifest struct {
	name  string
	named bool // by the user, not found in a directory
}

// manifests lists the files of a file or directory, in the order of their
// names. Files and directories whose names begin with a dot are skipped, and
// links to directories are not followed.
func (d disk) manifests(name string) ([]manifest, error) {
	info, err := d.stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []manifest{{name, true}}, nil
	}
	var found []manifest
	err = d.walk(name, func(_ string, files []string) {
		for _, f := range files {
			if isManifest(f) {
				found = append(found, manifest{name: f})
			}
		}
	})
	return found, err
}

// walk visits a directory and the directories below it that are not hidden,
// with the names of the files in each that are not hidden.
func (d disk) walk(dir string, visit func(dir string, files []string)) error {
	entries, err := d.readDir(dir)
	if err != nil {
		return err
	}
	var files, dirs []string
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			dirs = append(dirs, name)
		case e.Type()&fs.ModeSymlink != 0:
			if info, err := d.stat(name); err == nil && info.IsDir() {
				continue
			}
			files = append(files, name)
		default:
			files = append(files, name)
		}
	}
	visit(dir, files)
	for _, sub := range dirs {
		if err := d.walk(sub, visit); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// isManifest says whether a file's name ends as manifests' names do.
func isManifest(name string) bool {
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// readFile reads the objects of one file.
func (r *reader) readFile(f manifest, data []byte) {
	if isKustomization(filepath.Base(f.name)) {
		r.noteKustomization(f.name)
		return
	}
	if !f.named && IsTest(f.name) && holdsTests(data) {
		return
	}
	r.readText(f.name, 1, data, f.named)
}

// unreadable is the problem of a file that cannot be read.
func unreadable(name string, err error) problem.Problem {
	p := problem.New(problem.DocumentInvalid)
	p.Object, p.File = "File "+name, name
	p.Message = "the file cannot be read: " + reason(err)
	p.Remedy = "make the file readable, or take it out of the directory"
	return p
}

// reason is an error without the path, which the problem names anyway.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}

func (r *reader) readStdin(in io.Reader) error {
	if in == nil {
		return nil
	}
	data, err := readBounded(in)
	if err != nil {
		return fmt.Errorf("read manifests from stdin: %w", err)
	}
	r.readText("stdin", 1, data, true)
	return nil
}

// isKustomization says whether a file of this name steers a kustomization.
func isKustomization(base string) bool {
	switch base {
	case "kustomization.yaml", "kustomization.yml", "Kustomization":
		return true
	}
	return false
}

// noteKustomization tells the reader of plain files what a kustomization
// among them would have done.
func (r *reader) noteKustomization(name string) {
	r.others = append(r.others, "Kustomization.kustomize.config.k8s.io")
	p := problem.New(problem.KustomizationNotBuilt)
	p.Object, p.File = "Kustomization "+filepath.Dir(name), name
	p.Message = "the files of this directory are read one by one, without the namespace, patches and generators of its kustomization"
	p.Remedy = "-k " + filepath.Dir(name)
	r.report(p)
}
