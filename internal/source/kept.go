package source

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// Kept remembers what was decoded from the files of a load, so that the next one decodes
// only those whose bytes differ. It holds what the last load has read, and the objects of
// its Set, nothing else. The zero value is ready.
type Kept struct {
	loading sync.Mutex // one load at a time
	files   map[manifest]keptFile
}

// keptFile is a file as it was last read.
type keptFile struct {
	digest [sha256.Size]byte
	*piece
}

// piece is what was decoded from one file or text. It does not depend on any other.
type piece struct {
	found     []found
	others    []string // kinds of objects that are not read
	problems  problem.List
	documents int // objects read or counted
}

// found is a decoded object. Its first Set gives it a namespace; nothing changes it later.
type found struct {
	object      any
	origin      object.Origin
	noNamespace bool     // as it was written
	unread      []string // fields, as object.Item has them
	stub        bool     // it stands for a document that is not YAML
}

// loading is one load in progress: the pieces come together.
type loading struct {
	reader    *reader
	builder   object.Builder
	problems  problem.List
	added     map[object.Ref]*found
	documents int
	before    map[manifest]keptFile // of the last load
	now       map[manifest]keptFile // nil: nothing is kept
}

func newLoading(before map[manifest]keptFile, keep bool) *loading {
	l := &loading{reader: newReader(), added: make(map[object.Ref]*found), before: before}
	if keep {
		l.now = make(map[manifest]keptFile, len(before))
	}
	return l
}

// read adds what a function makes the reader decode, also when it fails.
func (l *loading) read(decode func(*reader) error) error {
	p := new(piece)
	l.reader.piece = p
	err := decode(l.reader)
	l.place(p)
	return err
}

// readFile adds what is in a file, which is decoded unless its bytes are those of the
// last load. A file that cannot be read is a problem of its own.
func (l *loading) readFile(d disk, f manifest) {
	data, err := d.read(f.name)
	if err != nil {
		l.problems = append(l.problems, unreadable(f.name, err))
		return
	}
	if l.now == nil {
		_ = l.read(func(r *reader) error { r.readFile(f, data); return nil })
		return
	}
	digest := sha256.Sum256(data)
	k, ok := l.before[f]
	if !ok || k.digest != digest {
		k = keptFile{digest, new(piece)}
		l.reader.piece = k.piece
		l.reader.readFile(f, data)
	}
	l.now[f] = k
	l.place(k.piece)
}

// place puts a piece into the set. The last object of one name wins.
func (l *loading) place(p *piece) {
	l.documents += p.documents
	l.problems = append(l.problems, p.problems...)
	for _, kind := range p.others {
		l.builder.Count(kind)
	}
	for i := range p.found {
		f := &p.found[i]
		ref, ok := l.builder.AddAs(f.object, f.origin, f.noNamespace)
		if !ok {
			continue
		}
		if before := l.added[ref]; before != nil && !f.stub {
			l.problems = append(l.problems, duplicate(ref, before, f))
		}
		l.added[ref] = f
		if len(f.unread) > 0 {
			l.builder.Unread(ref, f.unread)
		}
	}
}

// duplicate is the problem of two objects of one name.
func duplicate(ref object.Ref, before, f *found) problem.Problem {
	p := problem.New(problem.DuplicateObject)
	p.Object, p.File, p.Line = ref.String(), f.origin.File, f.origin.Line
	if same(before.object, f.object) {
		p.Severity = problem.Info
		p.Message = "the same object is also at " + before.origin.String()
		p.Remedy = "delete one of them"
	} else {
		p.Message = fmt.Sprintf("another object of this name, with different content, is at %s; this one, the last to be applied, wins", before.origin)
		p.Remedy = "delete one of them, or give it another name or namespace"
	}
	return p
}

// same compares two objects by their JSON.
func same(a, b any) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(x, y)
}
