package source

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Test files of doorward test stand beside manifests. A load passes over them in the
// directories that it reads; Tests finds them.

// IsTest says whether a file may hold tests by its name: NAME_test.yaml, or any YAML in
// a directory called tests.
func IsTest(name string) bool {
	base := filepath.Base(name)
	ext := filepath.Ext(base)
	if ext != ".yaml" && ext != ".yml" || isKustomization(base) {
		return false
	}
	return strings.HasSuffix(strings.TrimSuffix(base, ext), "_test") || filepath.Base(filepath.Dir(name)) == "tests"
}

// holdsTests says whether a file has tests at the margin and no object: all else in a
// directory of manifests is read as one, wherever it stands, as by kubectl.
func holdsTests(data []byte) bool {
	found := false
	for doc := range documents(1, data) {
		if h := scan(doc.text); h.kind != "" || h.apiVersion != "" {
			return false
		}
		for line := range bytes.Lines(doc.text) {
			_, is := value(line, "tests")
			found = found || is
		}
	}
	return found
}

// holdsObjects says whether a file has an object.
func holdsObjects(data []byte) bool {
	for doc := range documents(1, data) {
		if root, err := doc.parse(); err == nil && root != nil {
			if h := headerOf(follow(root)); h.kind != "" && h.apiVersion != "" {
				return true
			}
		}
	}
	return false
}

// Tests finds the test files in paths, which are files and directories with all below
// them, in the order of their names. What is not hidden and holds no object is one. A
// file that is named is taken as it is.
func Tests(paths []string) ([]string, error) {
	d := disk{}
	var found []string
	for _, name := range paths {
		files, err := d.manifests(name)
		if err != nil {
			return nil, fmt.Errorf("find tests: %w", err)
		}
		for _, f := range files {
			clean := filepath.Clean(f.name)
			if f.named {
				found = append(found, clean)
				continue
			}
			if !IsTest(clean) {
				continue
			}
			if data, err := d.read(clean); err != nil || !holdsObjects(data) { // who reads it tells the error
				found = append(found, clean)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// OneDocument reads a file of one YAML document that is no manifest. Its nodes have the
// lines of the file. The root is nil for an empty file.
func OneDocument(name string, data []byte) (root *yaml.Node, err error) {
	lines, seen := 0, false
	for doc := range documents(1, data) {
		if seen {
			return nil, fmt.Errorf("%s:%d: the file may have one document; write what is behind \"---\" into a file of its own", name, doc.line)
		}
		seen, lines = true, doc.line-1
		if root, err = doc.parse(); err != nil {
			line := doc.line
			if se, ok := errors.AsType[*syntaxError](err); ok && se.line > 0 {
				line = se.line
			}
			return nil, fmt.Errorf("%s:%d: it is not YAML: %w; look at the indentation, colons and quotes of this line and the one before", name, line, err)
		}
	}
	shift(root, lines)
	return root, nil
}

// shift moves the lines of a tree.
func shift(n *yaml.Node, by int) {
	if n == nil || by == 0 {
		return
	}
	n.Line += by
	for _, c := range n.Content {
		shift(c, by)
	}
}

// IsKustomization tells whether a directory is a kustomization.
func IsKustomization(dir string) bool {
	_, err := disk{}.kustomizationFile(dir)
	return err == nil
}
