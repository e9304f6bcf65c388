package probe

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"golang.org/x/net/html"
)

// Kind is what a browser does with a URL.
type Kind string

const (
	Link     Kind = "link"     // goes there when asked to
	Form     Kind = "form"     // sends there
	Script   Kind = "script"   // runs it
	Style    Kind = "style"    // a style sheet, or what one imports
	Image    Kind = "image"    // shows it
	Frame    Kind = "frame"    // shows a page of it
	Resource Kind = "resource" // loads it otherwise: fonts, icons, manifests, media
	Call     Kind = "call"     // a script asks for it
	Socket   Kind = "socket"   // a script opens a WebSocket
	Refresh  Kind = "refresh"  // goes there by itself
	Base     Kind = "base"     // reads all others from here on
	Redirect Kind = "redirect" // a Location
)

// Reference is a URL of an answer: as written, in which element, on which line.
type Reference struct {
	Kind    Kind
	Written string
	Element string // "<script src>", "CSS url()", "Location"
	Line    int    // from 1; 0 in a header
}

// Page is what a page of HTML refers to.
type Page struct {
	Title      string
	Base       string // of its first <base href>; "" none
	References []Reference
}

// ReadPage finds the references of a page of HTML, in their order. It is total: what
// is no HTML has none. Scripts are read for URLs that are plain in them.
func ReadPage(data []byte) Page {
	r := pageReader{tokens: html.NewTokenizer(bytes.NewReader(data)), line: 1, holds: attributes()}
	for r.tokens.Next() != html.ErrorToken {
		raw := r.tokens.Raw()
		lines := bytes.Count(raw, []byte{'\n'})
		r.token(r.tokens.Token())
		r.line += lines
	}
	return r.page
}

// pageReader reads a page token by token.
type pageReader struct {
	tokens *html.Tokenizer
	page   Page
	holds  map[string]map[string]Kind // attributes
	line   int
	within string // the element whose text comes: title, style, script
	kind   string // the type of that script
}

func (r *pageReader) token(t html.Token) {
	switch t.Type {
	case html.StartTagToken, html.SelfClosingTagToken:
		r.within, r.kind = t.Data, ""
		r.element(t)
	case html.EndTagToken:
		r.within = ""
	case html.TextToken:
		r.text(t.Data)
	}
}

func (r *pageReader) text(text string) {
	switch r.within {
	case "title":
		if r.page.Title == "" {
			r.page.Title = strings.Join(strings.Fields(text), " ")
		}
	case "style":
		r.add(ReadStyle([]byte(text)))
	case "script":
		switch r.kind {
		case "", "module", "text/javascript", "application/javascript":
			r.add(ReadScript([]byte(text)))
		case "importmap":
			r.add(readImportMap(text))
		}
	}
}

// add takes over references of text that begins on this line.
func (r *pageReader) add(found []Reference) {
	for _, ref := range found {
		ref.Line += r.line - 1
		r.page.References = append(r.page.References, ref)
	}
}

func (r *pageReader) note(kind Kind, written, element string) {
	if written = strings.TrimSpace(written); written != "" {
		r.page.References = append(r.page.References, Reference{kind, written, element, r.line})
	}
}

// attributes are those that hold one URL, by element. What a <link> is its rel tells.
func attributes() map[string]map[string]Kind {
	return map[string]map[string]Kind{
		"a": {"href": Link}, "area": {"href": Link},
		"form": {"action": Form}, "button": {"formaction": Form}, "input": {"formaction": Form, "src": Image},
		"script": {"src": Script}, "img": {"src": Image}, "image": {"href": Image, "xlink:href": Image}, "use": {"href": Image, "xlink:href": Image},
		"iframe": {"src": Frame}, "frame": {"src": Frame}, "object": {"data": Frame}, "embed": {"src": Frame},
		"video": {"src": Resource, "poster": Image}, "audio": {"src": Resource}, "source": {"src": Resource}, "track": {"src": Resource},
	}
}

func (r *pageReader) element(t html.Token) {
	if len(t.Attr) == 0 {
		return
	}
	at := map[string]string{}
	for _, a := range t.Attr {
		name := a.Key
		if a.Namespace != "" {
			name = a.Namespace + ":" + name
		}
		if _, twice := at[name]; !twice { // the first counts
			at[name] = a.Val
		}
	}
	one := r.holds[t.Data]
	for _, a := range t.Attr {
		value := at[a.Key]
		element := "<" + t.Data + " " + a.Key + ">"
		kind, single := one[a.Key]
		switch {
		case single:
			r.note(kind, value, element)
		case a.Key == "srcset" || a.Key == "imagesrcset":
			for _, u := range srcset(value) {
				r.note(Image, u, element)
			}
		case a.Key == "style":
			r.add(ReadStyle([]byte(value)))
		}
	}
	switch t.Data {
	case "script":
		r.kind = strings.ToLower(strings.TrimSpace(at["type"]))
	case "link":
		r.note(linkKind(at["rel"]), at["href"], "<link href>")
	case "base":
		if href := strings.TrimSpace(at["href"]); href != "" && r.page.Base == "" {
			r.page.Base = href
			r.note(Base, href, "<base href>")
		}
	case "meta":
		if strings.EqualFold(at["http-equiv"], "refresh") {
			r.note(Refresh, refreshURL(at["content"]), "<meta refresh>")
		}
	}
}

// linkKind is what a browser does with a <link>.
func linkKind(rel string) Kind {
	kind := Link
	for _, word := range strings.Fields(strings.ToLower(rel)) {
		switch word {
		case "stylesheet":
			return Style
		case "modulepreload":
			kind = Script
		case "icon", "apple-touch-icon", "mask-icon", "manifest", "preload", "prefetch":
			kind = Resource
		}
	}
	return kind
}

// srcset are the URLs of a list of images with their sizes. A URL may hold commas, and
// ends with a blank or with the comma behind it (HTML, parse a srcset attribute).
func srcset(list string) []string {
	var urls []string
	for list != "" {
		list = strings.TrimLeft(list, " \t\r\n\f,")
		end := strings.IndexAny(list, " \t\r\n\f")
		if end < 0 {
			end = len(list)
		}
		u := list[:end]
		list = list[end:]
		if bare := strings.TrimRight(u, ","); bare != u {
			u = bare
		} else if next := strings.IndexByte(list, ','); next >= 0 {
			list = list[next+1:]
		} else {
			list = ""
		}
		if u != "" {
			urls = append(urls, u)
		}
	}
	return urls
}

// refreshURL is that of "5; url=/x".
func refreshURL(content string) string {
	_, rest, ok := strings.Cut(content, ";")
	if !ok {
		return ""
	}
	rest = strings.TrimSpace(rest)
	if len(rest) >= 4 && strings.EqualFold(rest[:3], "url") {
		if after, ok := strings.CutPrefix(strings.TrimSpace(rest[3:]), "="); ok {
			rest = after
		}
	}
	return strings.Trim(strings.TrimSpace(rest), `"'`)
}

// readImportMap finds the addresses of an import map.
func readImportMap(text string) []Reference {
	var m struct {
		Imports map[string]string            `json:"imports"`
		Scopes  map[string]map[string]string `json:"scopes"`
	}
	if json.Unmarshal([]byte(text), &m) != nil {
		return nil
	}
	var found []Reference
	note := func(u string) {
		at := max(strings.Index(text, `"`+u+`"`), 0)
		found = append(found, Reference{Script, u, "import map", 1 + strings.Count(text[:at], "\n")})
	}
	for _, name := range sorted(m.Imports) {
		note(m.Imports[name])
	}
	for _, scope := range sorted(m.Scopes) {
		for _, name := range sorted(m.Scopes[scope]) {
			note(m.Scopes[scope][name])
		}
	}
	return found
}

// scriptPattern is a way in which scripts name URLs.
type scriptPattern struct {
	kind    Kind
	element string
	form    *regexp.Regexp
}

const quoted = "[\"'`]([^\"'`\\s$]+)"

// scriptPatterns are those that are worth looking for. What a script puts together is
// not seen.
var scriptPatterns = [...]scriptPattern{
	{Script, "import", regexp.MustCompile(`\b(?:from|import)\s*\(?\s*` + quoted)},
	{Socket, "WebSocket", regexp.MustCompile(`\bWebSocket\s*\(\s*` + quoted)},
	{Call, "fetch", regexp.MustCompile(`\b(?:fetch|EventSource|Worker|SharedWorker|importScripts|axios\.\w+|serviceWorker\.register)\s*\(\s*` + quoted)},
	{Call, "XMLHttpRequest", regexp.MustCompile(`\.open\s*\(\s*["'][A-Za-z]+["']\s*,\s*` + quoted)},
	{Link, "location", regexp.MustCompile(`\blocation(?:\.href)?\s*=\s*` + quoted)},
	{Call, "location.host", regexp.MustCompile(`\blocation\.(?:host|origin)\s*\+\s*` + quoted)},
	{Socket, "script", regexp.MustCompile("[\"'`](wss?://[^\"'`\\s$]*)")},
	{Call, "script", regexp.MustCompile("[\"'`](https?://(?:localhost|127\\.0\\.0\\.1|[a-z0-9.-]+\\.svc)\\b[^\"'`\\s$]*)")},
}

// ReadScript finds URLs that stand plain in JavaScript.
func ReadScript(data []byte) []Reference {
	var found []Reference
	seen := map[int]bool{} // by place: the first pattern tells
	for _, p := range scriptPatterns {
		for _, at := range p.form.FindAllSubmatchIndex(data, -1) {
			written := string(data[at[2]:at[3]])
			absolute := strings.HasPrefix(written, "/") || strings.Contains(written, "://")
			if !absolute || seen[at[2]] {
				continue // names of modules, and paths that are relative
			}
			seen[at[2]] = true
			found = append(found, Reference{p.kind, written, p.element, 1 + bytes.Count(data[:at[2]], []byte{'\n'})})
		}
	}
	return found
}
