package demo

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// received is what an application got, as it shows it.
type received struct {
	Application string              `json:"application"`
	Method      string              `json:"method"`
	Target      string              `json:"target"` // as in the request line
	Host        string              `json:"host"`
	Protocol    string              `json:"protocol"`
	Peer        string              `json:"peer"`   // who has opened the connection
	Prefix      string              `json:"prefix"` // under which it believes to be mounted
	Headers     map[string][]string `json:"headers"`
}

func (a *application) received(r *http.Request) *received {
	return &received{
		Application: a.Name, Method: r.Method, Target: r.RequestURI, Host: r.Host, Protocol: r.Proto,
		Peer: r.RemoteAddr, Prefix: a.prefix(r), Headers: r.Header,
	}
}

// Names are the names of the header fields, sorted.
func (r *received) Names() []string {
	var names []string
	for name := range r.Headers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// wantsPage says whether a request asks for HTML, as browsers do. curl and
// other programs get JSON.
func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// show answers with what was received: a page for people, JSON for programs.
func (a *application) show(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	w.Header().Set("Cache-Control", "no-store")
	if wantsPage(r) {
		a.writePage(w, r, "")
		return
	}
	writeJSON(w, http.StatusOK, a.received(r))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	e.Encode(v)
}
