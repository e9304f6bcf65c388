package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// write makes a file with its directories.
func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// watching runs a watcher and returns a function that waits for a change.
func watching(t *testing.T, opts Options) (changed func(what string)) {
	t.Helper()
	w, err := NewWatcher(opts)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	changes, done := make(chan struct{}, 100), make(chan error, 1)
	go func() { done <- w.Run(ctx, func() { changes <- struct{}{} }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return func(what string) {
		t.Helper()
		select {
		case <-changes:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: no change was reported", what)
		}
	}
}

func TestWatchDirectory(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.yaml")
	write(t, file, "a: 1\n")
	changed := watching(t, Options{Files: []string{dir}})

	write(t, file, "a: 2\n")
	changed("a write")

	write(t, filepath.Join(dir, ".a.yaml.swp"), "a: 3\n")
	must(t, os.Rename(filepath.Join(dir, ".a.yaml.swp"), file))
	changed("a file renamed over another")

	must(t, os.MkdirAll(filepath.Join(dir, "x", "y"), 0o755))
	changed("a new directory")
	write(t, filepath.Join(dir, "x", "y", "b.yml"), "b: 1\n")
	changed("a file in a new directory")

	must(t, os.RemoveAll(filepath.Join(dir, "x")))
	changed("a directory removed")
}

func TestWatchFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.yaml")
	write(t, file, "a: 1\n")
	changed := watching(t, Options{Files: []string{file}})
	must(t, os.Remove(file))
	changed("the file removed")
	write(t, file, "a: 2\n")
	changed("the file back")
}

// Kubernetes updates a mounted ConfigMap by swapping a link to a directory.
func TestWatchConfigMapMount(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "..1", "a.yaml"), "a: 1\n")
	must(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	must(t, os.Symlink(filepath.Join("..data", "a.yaml"), filepath.Join(dir, "a.yaml")))
	for _, opts := range []Options{{Files: []string{dir}}, {Files: []string{filepath.Join(dir, "a.yaml")}}} {
		changed := watching(t, opts)
		write(t, filepath.Join(dir, "..2", "a.yaml"), "a: 2\n")
		must(t, os.Symlink("..2", filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
		changed("the link swapped")
		must(t, os.RemoveAll(filepath.Join(dir, "..data")))
		must(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	}
}

func TestWatchLinkedDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "one", "a.yaml"), "a: 1\n")
	write(t, filepath.Join(dir, "two", "a.yaml"), "a: 2\n")
	current := filepath.Join(dir, "current")
	must(t, os.Symlink("one", current))
	changed := watching(t, Options{Files: []string{current}})
	must(t, os.Symlink("two", filepath.Join(dir, "next")))
	must(t, os.Rename(filepath.Join(dir, "next"), current))
	changed("the link to the directory swapped")
	write(t, filepath.Join(dir, "two", "a.yaml"), "a: 3\n")
	changed("a file in the new directory")
}

func TestWatchKustomization(t *testing.T) {
	dir := t.TempDir()
	base, overlay, part := filepath.Join(dir, "base"), filepath.Join(dir, "overlays", "production"), filepath.Join(dir, "part")
	write(t, filepath.Join(base, "kustomization.yaml"), "resources: [ns.yaml]\n")
	write(t, filepath.Join(base, "ns.yaml"), "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n")
	write(t, filepath.Join(part, "kustomization.yaml"), "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\nconfigMapGenerator: [{name: c, files: [x=text.conf]}]\n")
	write(t, filepath.Join(part, "text.conf"), "x")
	write(t, filepath.Join(overlay, "kustomization.yaml"), "resources: [../../base]\ncomponents: [../../part]\n")
	changed := watching(t, Options{Kustomizations: []string{overlay}})

	write(t, filepath.Join(base, "ns.yaml"), "apiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n")
	changed("a file of the base")
	write(t, filepath.Join(part, "text.conf"), "y")
	changed("a file of the component's generator")
	write(t, filepath.Join(overlay, "kustomization.yaml"), "resources: [../../base]\n")
	changed("the overlay itself")
	write(t, filepath.Join(base, "kustomization.yaml"), "resources: [ns.yaml, more/more.yaml]\n")
	changed("a base that names a missing file")
	write(t, filepath.Join(base, "more", "more.yaml"), "apiVersion: v1\nkind: Namespace\nmetadata: {name: c}\n")
	changed("the missing file")
}

// What changes between NewWatcher and Run is not lost.
func TestWatchBeforeRun(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWatcher(Options{Files: []string{dir}})
	must(t, err)
	write(t, filepath.Join(dir, "a.yaml"), "a: 1\n")
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	if err := w.Run(ctx, func() { calls++; cancel() }); err != nil || calls != 1 {
		t.Errorf("got %d calls and error %v, want one call", calls, err)
	}
}

func TestConcerns(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	s := watched{
		dirs:  map[string]bool{dir: true, "/else": true},
		trees: map[string]bool{dir: true},
		files: map[string]bool{"/else/values.conf": true},
	}
	for _, c := range []struct {
		name string
		op   fsnotify.Op
		want bool
	}{
		{filepath.Join(dir, "a.yaml"), fsnotify.Write, true},
		{filepath.Join(dir, "a.yaml"), fsnotify.Chmod, false},
		{filepath.Join(dir, "a.json"), fsnotify.Remove, true},
		{filepath.Join(dir, "access.log"), fsnotify.Write, false},
		{filepath.Join(dir, ".a.yaml"), fsnotify.Create, false},
		{filepath.Join(dir, "..data"), fsnotify.Create, true},
		{filepath.Join(dir, "sub"), fsnotify.Create, true},
		{"/else/values.conf", fsnotify.Rename, true},
		{"/else/other.yaml", fsnotify.Write, false},
	} {
		if got := s.concerns(fsnotify.Event{Name: c.name, Op: c.op}); got != c.want {
			t.Errorf("%s %s: got %v, want %v", c.op, c.name, got, c.want)
		}
	}
}

func TestSettle(t *testing.T) {
	all := func(fsnotify.Event) bool { return true }
	synctest.Test(t, func(t *testing.T) {
		events, lost := make(chan fsnotify.Event), make(chan error)
		var fired []time.Duration
		start := time.Now()
		done := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			done <- settle(ctx, events, lost, all, func() error { fired = append(fired, time.Since(start)); return nil })
		}()
		// Three writes in a row are one change, reported 30 ms after the last.
		for range 3 {
			events <- fsnotify.Event{}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second - 30*time.Millisecond)
		// Events without end are reported now and then.
		for range 60 {
			events <- fsnotify.Event{}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		lost <- errors.New("overflow")
		time.Sleep(time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("got %v, want no error when the context ends", err)
		}
		want := []time.Duration{50, 1500, 1620, 2630}
		for i := range want {
			want[i] *= time.Millisecond
		}
		if len(fired) != len(want) {
			t.Fatalf("fired at %v, want %v", fired, want)
		}
		for i := range want {
			if fired[i] != want[i] {
				t.Errorf("fired at %v, want %v", fired, want)
			}
		}
	})
	t.Run("failing", func(t *testing.T) {
		events := make(chan fsnotify.Event, 1)
		events <- fsnotify.Event{}
		want := errors.New("no more watches")
		if err := settle(t.Context(), events, nil, all, func() error { return want }); err != want {
			t.Errorf("got %v, want %v", err, want)
		}
	})
}
