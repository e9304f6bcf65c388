package demo

import (
	_ "embed"
	"html/template"
	"net/http"
)

var (
	//go:embed page.html
	markup string
	//go:embed page.css
	style string
	//go:embed page.js
	script string
)

// policy lets a page use nothing but its own application.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// view is what page.html shows.
type view struct {
	App *application
	*received
	Told     bool   // the prefix comes from the header
	Root     string // absolute, with the prefix
	Relative string // the same place as a relative reference
	Notice   string // what has just happened; "" is nothing
	Visitor  string // the name that the form has kept in a cookie
	Shown    any    // of Content
}

// page shows what was received to people.
func (a *application) writePage(w http.ResponseWriter, r *http.Request, notice string) {
	v := view{App: a, received: a.received(r), Told: aPrefix.MatchString(r.Header.Get("X-Forwarded-Prefix")),
		Root: a.root(r), Relative: relativeRoot(r), Notice: notice}
	if c, err := r.Cookie("name"); err == nil {
		v.Visitor = c.Value
	}
	if a.Data != nil {
		v.Shown = a.Data(r)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	a.Page.Execute(w, v) // an error is that of a client that has gone
}

// page is the page of an application whose own part is content, a template
// over a view.
func page(content string) *template.Template {
	t := template.Must(template.New("content").Parse(content))
	return template.Must(t.New("page").Parse(markup))
}
