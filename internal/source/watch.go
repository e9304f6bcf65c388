package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	quiet   = 30 * time.Millisecond  // without events before a change counts as over
	longest = 500 * time.Millisecond // that a change without end is held back
)

// Watcher says when files change that a load reads. It watches directories,
// not files, so that it sees editors that replace files, new files and
// directories, and the swap of links by which Kubernetes updates a mounted
// ConfigMap; and it follows kustomizations to their bases, wherever they are.
type Watcher struct {
	opts   Options
	notify *fsnotify.Watcher
	scope  watched
}

// watched is what a Watcher looks at.
type watched struct {
	dirs  map[string]bool // directories with a watch
	trees map[string]bool // those of them whose every manifest counts
	files map[string]bool // names that count wherever they are
}

// NewWatcher begins to watch at once: what changes between here and Run is
// reported by Run. Options with an FS have nothing to watch.
func NewWatcher(opts Options) (*Watcher, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch manifests: %w", err)
	}
	w := &Watcher{opts: opts, notify: notify}
	if err := w.rescan(); err != nil {
		return nil, errors.Join(err, notify.Close())
	}
	return w, nil
}

// Watch is NewWatcher and Run in one.
func Watch(ctx context.Context, opts Options, onChange func()) error {
	w, err := NewWatcher(opts)
	if err != nil {
		return err
	}
	return w.Run(ctx, onChange)
}

// Close stops watching. A Watcher that was run need not be closed.
func (w *Watcher) Close() error { return w.notify.Close() }

// Run calls onChange after each change, 30 ms after the last write that
// belongs to it. It returns when the context ends, with nil, or when watching
// fails.
func (w *Watcher) Run(ctx context.Context, onChange func()) error {
	defer w.notify.Close()
	return settle(ctx, w.notify.Events, w.notify.Errors, func(e fsnotify.Event) bool { return w.scope.concerns(e) }, func() error {
		// The change may have been one of what to watch. What is watched
		// before the load begins cannot be missed by it.
		if err := w.rescan(); err != nil {
			return err
		}
		onChange()
		return nil
	})
}

// settle calls fire when the events that concern it have been quiet for a
// while, or every longest while when they never are. An error among the events
// means that some were lost, so something may have happened.
func settle(ctx context.Context, events <-chan fsnotify.Event, lost <-chan error, concerns func(fsnotify.Event) bool, fire func() error) error {
	var pause, limit <-chan time.Time
	for {
		due := false
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-events:
			if !ok {
				return nil
			}
			if !concerns(e) {
				continue
			}
		case _, ok := <-lost:
			if !ok {
				return nil
			}
		case <-pause:
			due = true
		case <-limit:
			due = true
		}
		if due {
			pause, limit = nil, nil
			if err := fire(); err != nil {
				return err
			}
			continue
		}
		pause = time.After(quiet)
		if limit == nil {
			limit = time.After(longest)
		}
	}
}

// concerns says whether an event changes what a load would read.
func (s watched) concerns(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod {
		return false
	}
	name := filepath.Clean(e.Name)
	base := filepath.Base(name)
	switch {
	case s.files[name], s.dirs[name]:
		return true
	case strings.HasPrefix(base, ".."): // the ..data of a mounted ConfigMap
		return true
	case !s.trees[filepath.Dir(name)] || strings.HasPrefix(base, "."):
		return false
	case isManifest(base):
		return true
	}
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// rescan finds out what to watch, and watches it.
func (w *Watcher) rescan() error {
	if w.opts.FS != nil {
		return nil
	}
	s := watched{make(map[string]bool), make(map[string]bool), make(map[string]bool)}
	for _, name := range w.opts.Files {
		if name != "-" {
			s.addFiles(name)
		}
	}
	for _, dir := range w.opts.Kustomizations {
		s.addKustomization(dir)
	}
	for dir := range w.scope.dirs {
		if !s.dirs[dir] {
			w.notify.Remove(dir) // an error says that it is gone already
		}
	}
	for dir := range s.dirs {
		// Adding again is cheap, and needed when the directory was replaced.
		if err := w.notify.Add(dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			if errors.Is(err, syscall.ENOSPC) {
				err = fmt.Errorf("%w (raise the sysctl fs.inotify.max_user_watches)", err)
			}
			return fmt.Errorf("watch %s: %w", dir, err)
		}
	}
	w.scope = s
	return nil
}

// addFiles watches a file, or a directory with all below it.
func (s watched) addFiles(name string) {
	name = filepath.Clean(name)
	s.addName(name, 0)
	if info, err := os.Stat(name); err != nil || !info.IsDir() {
		return
	}
	// What cannot be read now is reported by the load.
	_ = disk{}.walk(name, func(dir string, files []string) {
		s.dirs[dir], s.trees[dir] = true, true
		for _, f := range files {
			if info, err := os.Lstat(f); err == nil && info.Mode()&fs.ModeSymlink != 0 && isManifest(f) {
				s.addName(f, 0)
			}
		}
	})
}

// addKustomization watches whatever a kustomization is made of.
func (s watched) addKustomization(dir string) {
	if isKustomization(filepath.Base(dir)) {
		dir = filepath.Dir(dir)
	}
	s.addName(filepath.Clean(dir), 0)
	refs, _ := disk{}.references(dir) // the load reports the error
	for name := range refs.files {
		s.addName(name, 0)
	}
	for dir := range refs.dirs {
		s.dirs[dir] = true
		for _, base := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
			s.files[filepath.Join(dir, base)] = true
		}
	}
}

// addName watches for one name: for its coming, going and changing, and for
// that of the links on the way to it.
func (s watched) addName(name string, links int) {
	s.files[name] = true
	s.dirs[filepath.Dir(name)] = true
	for p := name; links < 16; p = filepath.Dir(p) {
		if info, err := os.Lstat(p); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			s.files[p] = true
			s.dirs[filepath.Dir(p)] = true
			if to, err := os.Readlink(p); err == nil {
				if !filepath.IsAbs(to) {
					to = filepath.Join(filepath.Dir(p), to)
				}
				s.addName(filepath.Join(to, strings.TrimPrefix(name, p)), links+1)
			}
		}
		if parent := filepath.Dir(p); parent == p || p == "." {
			return
		}
	}
}
