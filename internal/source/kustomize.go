package source

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	kustomization "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/doorward/doorward/internal/object"
)

// readKustomization builds a kustomization and reads its objects.
func (r *reader) readKustomization(d disk, dir string) error {
	if isKustomization(filepath.Base(dir)) {
		dir = filepath.Dir(dir)
	}
	refs, err := d.references(dir)
	if err != nil {
		return fmt.Errorf("build the kustomization %s: %w", dir, err)
	}
	built, err := build(d, dir)
	if err != nil {
		return fmt.Errorf("build the kustomization %s: %w", dir, err)
	}
	t := tracer{newFinder(Options{FS: d.fsys, Edited: d.edited}), dir, refs.manifests()}
	for _, res := range built.Resources() {
		if err := r.readResource(res, &t); err != nil {
			return fmt.Errorf("build the kustomization %s: %w", dir, err)
		}
	}
	return nil
}

// build runs kustomize, with plugins and whatever executes programs off. Each
// resource says in an annotation where it comes from.
func build(d disk, dir string) (resmap.ResMap, error) {
	name, err := d.kustomizationFile(dir)
	if err != nil {
		return nil, err
	}
	files := filesys.MakeFsOnDisk()
	if d.fsys != nil {
		dir = path.Join("/", inFS(dir))
		if files, err = inMemory(d); err != nil {
			return nil, err
		}
	}
	abs, _, err := files.CleanedAbs(dir)
	if err != nil {
		return nil, err
	}
	top := abs.Join(filepath.Base(name))
	return krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(annotating{files, top, d}, dir)
}

// inMemory copies a file system into one that kustomize can use.
func inMemory(from disk) (filesys.FileSystem, error) {
	to := filesys.MakeFsInMemory()
	err := fs.WalkDir(from.fsys, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := from.read(name)
		if err != nil {
			return err
		}
		return to.WriteFile("/"+name, data)
	})
	return to, err
}

// annotating is a file system in which the topmost kustomization asks for
// origin annotations.
type annotating struct {
	filesys.FileSystem
	top  string
	disk disk // what is edited
}

func (a annotating) ReadFile(name string) ([]byte, error) {
	data, err := a.FileSystem.ReadFile(name)
	if text, ok := a.disk.edit(name); ok && err == nil && a.disk.fsys == nil {
		data = text
	}
	if err != nil || filepath.Clean(name) != a.top {
		return data, err
	}
	return askForOrigins(data), nil
}

// askForOrigins adds "buildMetadata: [originAnnotations]" to a kustomization.
// One that cannot be parsed stays as it is: kustomize says what is wrong.
func askForOrigins(data []byte) []byte {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil || len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return data
	}
	root := doc.Content[0]
	wanted := &yaml.Node{Kind: yaml.ScalarNode, Value: kustomization.OriginAnnotations}
	if list := child(root, "buildMetadata"); list != nil {
		list.Kind, list.Tag, list.Value = yaml.SequenceNode, "", ""
		list.Content = append(list.Content, wanted)
	} else {
		root.Content = append(root.Content,
			&yaml.Node{Kind: yaml.ScalarNode, Value: "buildMetadata"},
			&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{wanted}})
	}
	out, err := yaml.Marshal(root)
	if err != nil {
		return data
	}
	return out
}

// readResource reads an object that kustomize made.
func (r *reader) readResource(res *resource.Resource, t *tracer) error {
	origin, err := res.GetOrigin()
	if err != nil {
		return err
	}
	if err := res.SetOrigin(nil); err != nil {
		return err
	}
	group, version := res.GetGvk().Group, res.GetGvk().Version
	h := header{joinVersion(group, version), res.GetKind(), res.GetNamespace(), res.GetName(), true}
	from := t.trace(origin, h)
	if _, ok := r.catalogue.find(h.apiVersion, h.kind); !ok {
		r.readStranger(h, from.origin)
		return nil
	}
	data, err := res.MarshalJSON()
	if err != nil {
		return err
	}
	root, err := document{1, data}.parse()
	if err != nil {
		return err
	}
	r.readRoot(root, from.place, true, len(data))
	return nil
}

// tracer finds the text that an object of a kustomization was made from.
type tracer struct {
	*finder
	dir   string
	files []string // manifests and patches of the kustomization
}

// traced is where an object was written, before it was patched.
type traced struct {
	*tracer
	origin object.Origin
	doc    *located   // nil when the text is not known
	root   *yaml.Node // of the object
}

// place finds the line of a field. The tree at hand is kustomize's result,
// whose own lines mean nothing. A field that is not in the object as it was
// first written may be in a patch of it.
func (t traced) place(_ *yaml.Node, field string) (string, int) {
	if t.root == nil || field == "" {
		return t.origin.File, t.origin.Line
	}
	line, whole := walk(t.root, field)
	if !whole {
		if file, line, ok := t.patch(headerOf(follow(t.root)), field); ok {
			return file, line
		}
	}
	return t.origin.File, t.doc.line + line - 1
}

// patch finds a field in the documents that have an object's kind and name.
func (t traced) patch(of header, field string) (file string, line int, ok bool) {
	for _, file := range t.files {
		for _, doc := range t.documents(file) {
			h := scan(doc.text)
			if h.kind != of.kind && h.kind != "" {
				continue
			}
			root := doc.tree()
			if root == nil {
				continue
			}
			if h = headerOf(root); h.kind != of.kind || h.name != of.name {
				continue
			}
			if line, whole := walk(root, field); whole {
				return file, doc.line + line - 1, true
			}
		}
	}
	return "", 0, false
}

// trace finds the document of an object in the file that kustomize names. A
// prefix or suffix may have changed its name since.
func (t *tracer) trace(origin *resource.Origin, h header) traced {
	name, err := t.disk.kustomizationFile(t.dir)
	if err != nil {
		name = t.dir
	}
	none := traced{tracer: t, origin: object.Origin{File: name, Line: 1}}
	if origin == nil || origin.Repo != "" {
		return none
	}
	if origin.Path == "" {
		return t.generated(origin, h, none)
	}
	file := filepath.Join(t.dir, filepath.FromSlash(origin.Path))
	best, bestLength := traced{tracer: t, origin: object.Origin{File: file, Line: 1}}, -1
	for _, doc := range t.documents(file) {
		root := doc.tree()
		if root == nil {
			continue
		}
		items, isList := listItems(root, headerOf(root))
		if !isList {
			items = []*yaml.Node{root}
		}
		for _, item := range items {
			was := headerOf(follow(item))
			if was.kind != h.kind || !strings.Contains(h.name, was.name) || len(was.name) <= bestLength {
				continue
			}
			line := doc.line + item.Line - 1
			best, bestLength = traced{t, object.Origin{File: file, Line: line}, doc, item}, len(was.name)
		}
	}
	return best
}

// generated finds the entry of the kustomization that generated an object.
func (t *tracer) generated(origin *resource.Origin, h header, none traced) traced {
	if origin.ConfiguredIn == "" {
		return none
	}
	file := filepath.Join(t.dir, filepath.FromSlash(origin.ConfiguredIn))
	found := traced{tracer: t, origin: object.Origin{File: file, Line: 1}}
	for _, doc := range t.documents(file) {
		root := doc.tree()
		for _, key := range []string{"configMapGenerator", "secretGenerator"} {
			list := child(root, key)
			if list == nil {
				continue
			}
			for _, entry := range list.Content {
				if name := textAt(follow(entry), "name"); name != "" && strings.Contains(h.name, name) {
					found.origin.Line = doc.line + entry.Line - 1
				}
			}
		}
	}
	return found
}

// Holders are the places in which an object may be written: that of its origin, and the
// documents with its kind and name among the manifests and patches of the kustomizations.
// Those that are applied later come first. Patches inside of a kustomization.yaml and
// lists of JSON operations are not among them.
func (o Options) Holders(ref object.Ref, origin object.Origin) []object.Origin {
	f := newFinder(o)
	var all []object.Origin
	for _, dir := range o.Kustomizations {
		if isKustomization(filepath.Base(dir)) {
			dir = filepath.Dir(dir)
		}
		refs, err := f.disk.references(dir)
		if err != nil {
			continue
		}
		for _, file := range refs.manifests() {
			for _, doc := range f.documents(file) {
				root := doc.tree()
				if root == nil {
					continue
				}
				h := headerOf(root)
				at := object.Origin{File: file, Line: doc.line + root.Line - 1}
				if h.kind == ref.Kind && h.name != "" && strings.Contains(ref.Name, h.name) && (h.namespace == "" || h.namespace == ref.Namespace) && at != origin {
					all = append(all, at)
				}
			}
		}
	}
	return append(all, origin)
}
