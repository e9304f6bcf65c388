package devidp

import (
	"sync"
	"time"
)

// shelf keeps things for a time, by a name that nobody can guess, up to a number of them: then the
// one that would go first goes. Its methods may be called from all goroutines.
type shelf[T any] struct {
	now  func() time.Time
	life time.Duration
	max  int

	mu   sync.Mutex
	kept map[string]kept[T]
}

type kept[T any] struct {
	thing T
	until time.Time
}

func newShelf[T any](now func() time.Time, life time.Duration, max int) *shelf[T] {
	return &shelf[T]{now: now, life: life, max: max, kept: map[string]kept[T]{}}
}

func (s *shelf[T]) put(name string, thing T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) >= s.max {
		s.makeRoom()
	}
	s.kept[name] = kept[T]{thing, s.now().Add(s.life)}
}

func (s *shelf[T]) makeRoom() {
	now, first := s.now(), ""
	for name, k := range s.kept {
		if k.until.Before(now) {
			delete(s.kept, name)
		} else if first == "" || k.until.Before(s.kept[first].until) {
			first = name
		}
	}
	if len(s.kept) >= s.max {
		delete(s.kept, first)
	}
}

func (s *shelf[T]) get(name string) (thing T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.kept[name]
	if !ok || k.until.Before(s.now()) {
		return thing, false
	}
	return k.thing, true
}

// take is get, for one only.
func (s *shelf[T]) take(name string) (thing T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.kept[name]
	delete(s.kept, name)
	if !ok || k.until.Before(s.now()) {
		return thing, false
	}
	return k.thing, true
}

// change replaces a thing by what f makes of it.
func (s *shelf[T]) change(name string, f func(T) T) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.kept[name]
	if !ok || k.until.Before(s.now()) {
		return false
	}
	k.thing = f(k.thing)
	s.kept[name] = k
	return true
}

// drop removes all that f tells to.
func (s *shelf[T]) drop(f func(T) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, k := range s.kept {
		if f(k.thing) {
			delete(s.kept, name)
		}
	}
}
