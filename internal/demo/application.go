package demo

import (
	"html/template"
	"net/http"
	"regexp"
	"strings"
)

// application is one of the demo's applications.
type application struct {
	Name  string
	About string // one sentence under the title
	// Prefix is the path prefix that it was configured with, where no header
	// tells it: "/myapp" or "".
	Prefix string
	// Bare leaves out what every other page shows: the request, and what to try.
	Bare bool
	// Try are links to offer beside those that every application has.
	Try []link
	// Page shows a view.
	Page *template.Template
	// Data is the view's Shown; nil where the page needs nothing.
	Data func(*http.Request) any
	// Routes adds the application's own endpoints; nil where it has none.
	Routes func(*http.ServeMux)
}

// link is one thing to try: Path goes behind the application's root.
type link struct{ Path, Text string }

// handler is the application over HTTP. Paths that a ServeMux would tidy by a
// redirect, which knows no prefix, are shown as they came.
func (a *application) handler() http.Handler {
	mux := a.mux()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; strings.Contains(p, "//") || strings.Contains(p, "/.") {
			a.show(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (a *application) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /events", events)
	mux.HandleFunc("GET /echo", echo)
	mux.HandleFunc("GET /redirect", a.redirect)
	mux.HandleFunc("POST /form", a.form)
	mux.HandleFunc("POST /upload", a.upload)
	mux.HandleFunc("PUT /upload", a.upload)
	mux.HandleFunc("GET /static/page.css", static("text/css", style))
	mux.HandleFunc("GET /static/page.js", static("text/javascript", script))
	mux.HandleFunc("/", a.show)
	if a.Routes != nil {
		a.Routes(mux)
	}
	return mux
}

// redirect shows that an application's own redirects stay behind the door.
func (a *application) redirect(w http.ResponseWriter, r *http.Request) {
	seeOther(w, http.StatusFound, a.root(r)+"landed")
}

// form answers a POST with a redirect to a page that can be loaded again.
func (a *application) form(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: "name", Value: cookieText(r.PostFormValue("name")), Path: a.prefix(r) + "/",
		MaxAge: 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	seeOther(w, http.StatusSeeOther, a.root(r)+"greeting")
}

// cookieText keeps what a cookie may hold without quoting, and little of it.
func cookieText(s string) string {
	clean := strings.Map(func(c rune) rune {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune(`",;\`, c) {
			return '_'
		}
		return c
	}, s)
	return clean[:min(len(clean), 60)]
}

// seeOther redirects to a reference that may be relative. http.Redirect would
// make it absolute without knowing the prefix.
func seeOther(w http.ResponseWriter, status int, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(status)
}

// aPrefix is what an application believes as its prefix. Anything else, such
// as //other.example, could lead its links out of the door.
var aPrefix = regexp.MustCompile(`^(/[A-Za-z0-9_~.-]+)+$`)

// prefix is what the door takes off every path before this application sees it.
func (a *application) prefix(r *http.Request) string {
	if told := r.Header.Get("X-Forwarded-Prefix"); aPrefix.MatchString(told) {
		return told
	}
	return a.Prefix
}

// root is the reference to the application's own root, with a slash at its end.
func (a *application) root(r *http.Request) string { return a.prefix(r) + "/" }

// relativeRoot is the same without knowing any prefix: as many steps up as the
// path is deep.
func relativeRoot(r *http.Request) string {
	if deep := strings.Count(r.URL.EscapedPath(), "/") - 1; deep > 0 {
		return strings.Repeat("../", deep)
	}
	return "./"
}

func static(kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind+"; charset=utf-8")
		w.Header().Set("Cache-Control", "max-age=60")
		w.Write([]byte(text))
	}
}
