package source

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// references are the files and directories that a kustomization is made of.
type references struct {
	disk  disk
	files map[string]bool // whatever it reads, or would if it were there
	dirs  map[string]bool // bases, components and itself
}

// references follows a kustomization through its bases, components, patches
// and generators. The error says that it reaches for something that is not
// on disk.
func (d disk) references(dir string) (references, error) {
	r := references{d, make(map[string]bool), make(map[string]bool)}
	err := r.directory(filepath.Clean(dir))
	return r, err
}

// manifests lists those of the files that may hold objects, in order.
func (r *references) manifests() []string {
	var names []string
	for name := range r.files {
		if isManifest(name) && !isKustomization(filepath.Base(name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// kustomizationFile finds the file that steers a kustomization.
func (d disk) kustomizationFile(dir string) (string, error) {
	for _, base := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		name := filepath.Join(dir, base)
		if info, err := d.stat(name); err == nil && !info.IsDir() {
			return name, nil
		}
	}
	info, err := d.stat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is no directory; read a file with -f %[1]s", dir)
	}
	return "", fmt.Errorf("no kustomization.yaml in %s", dir)
}

func (r *references) directory(dir string) error {
	if r.dirs[dir] {
		return nil
	}
	r.dirs[dir] = true
	name, err := r.disk.kustomizationFile(dir)
	if err != nil {
		return err
	}
	r.files[name] = true
	return r.steering(name, true)
}

// steering reads a file that may name other files: a kustomization, or the
// configuration of a generator or transformer.
func (r *references) steering(name string, kustomization bool) error {
	data, err := r.disk.read(name)
	if err != nil {
		return err
	}
	for doc := range documents(1, data) {
		root, err := doc.parse()
		if err != nil || root == nil {
			continue // kustomize says it better
		}
		s := scope{references: r, file: name, dir: filepath.Dir(name), line: doc.line}
		if err := s.visit(root, "", kustomization); err != nil {
			return err
		}
	}
	return nil
}

// scope is the document whose paths are being followed.
type scope struct {
	*references
	file, dir string
	line      int
}

// visit looks at all values below a node for those that are paths. The names
// of directories stand only at the top of a kustomization.
func (s scope) visit(n *yaml.Node, key string, top bool) error {
	n = follow(n)
	if n == nil {
		return nil
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return s.path(n, key)
	case yaml.SequenceNode:
		for _, c := range n.Content {
			if c.Kind != yaml.AliasNode {
				if err := s.visit(c, key, false); err != nil {
					return err
				}
			}
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i].Value
			if !top && isPathList(k) {
				continue
			}
			if c := n.Content[i+1]; c.Kind != yaml.AliasNode {
				if err := s.visit(c, k, false); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// isPathList says whether a field of a kustomization lists paths.
func isPathList(key string) bool {
	switch key {
	case "resources", "bases", "components", "crds", "configurations",
		"generators", "transformers", "validators", "patchesStrategicMerge":
		return true
	}
	return false
}

// path follows one value, if its field holds a path.
func (s scope) path(n *yaml.Node, key string) error {
	value := n.Value
	switch key {
	case "files", "envs", "env": // also as name=path
		value = value[strings.IndexByte(value, '=')+1:]
	case "path":
	default:
		if !isPathList(key) {
			return nil
		}
	}
	if value == "" || strings.Contains(value, "\n") {
		return nil
	}
	if isRemote(value) {
		return fmt.Errorf("%s:%d: %s is remote, and kustomizations are built from disk only; fetch it into the repository and name the local path",
			s.file, s.line+n.Line-1, value)
	}
	name := filepath.Join(s.dir, filepath.FromSlash(value))
	if filepath.IsAbs(value) {
		name = filepath.Clean(value)
	}
	info, err := s.disk.stat(name)
	if err == nil && info.IsDir() {
		return s.directory(name)
	}
	first := !s.files[name]
	s.files[name] = true
	switch key {
	case "generators", "transformers", "validators":
		if err == nil && first {
			return s.steering(name, false)
		}
	}
	return nil
}

// isRemote says whether kustomize would take a path for a URL or a git
// repository.
func isRemote(path string) bool {
	return regexp.MustCompile(`(?i)^(git::)?((https?|ssh|file)://|[a-z][a-z0-9-]*@|github\.com[/:])|^git::`).MatchString(path)
}
