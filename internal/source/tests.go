package source

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
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

// isTest says whether a file that may hold tests has no object: one with objects is a
// manifest wherever it stands, as to kubectl.
func isTest(data []byte) bool {
	for doc := range documents(1, data) {
		if h := scan(doc.text); h.kind != "" || h.apiVersion != "" {
			return false
		}
	}
	return true
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
			if data, err := d.read(clean); err != nil || isTest(data) { // who reads it tells the error
				found = append(found, clean)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// Has tells whether a directory is a kustomization.
func IsKustomization(dir string) bool {
	_, err := disk{}.kustomizationFile(dir)
	return err == nil
}
