// Package probe fetches a page as a browser would, through a running server, and tells
// what escapes the prefix under which the application is served: links, forms, scripts,
// redirects, cookies that lead elsewhere, and what browsers block or cannot reach.
//
//	Run ─ fetch the page ─ ReadPage, ReadStyle, ReadScript: the references of answers   pure
//	                     ─ Scope.Judge: what is wrong with each                         pure
//	                     ─ Router: where it leads instead (Plan, Server)
//	                     ─ cure: the manifest's line, or the application's setting
//
// It sends GET requests alone, to the page's host alone, and a bounded number of them.
package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/problem"
	"time"
)

// Options are what a probe is asked.
type Options struct {
	Client
	URL *url.URL
	// Prefix of the application; "" as the route says, or else the first part of the path.
	Prefix string
	Router Router // nil: where requests go is not known
	// Progress is told of each answer read, and how many there are; nil: nobody is.
	Progress func(done, of int)
}

// Report is what a probe found. Its JSON is part of the interface (docs/probe.md).
type Report struct {
	URL         string     `json:"url"` // after redirects
	Status      int        `json:"status"`
	Title       string     `json:"title,omitempty"`
	Application string     `json:"application,omitempty"` // that was recognised
	Prefix      string     `json:"prefix"`
	Route       *Route     `json:"route,omitempty"`
	Fetched     int        `json:"fetched"` // answers
	Findings    []*Finding `json:"findings"`
	Notes       []string   `json:"notes,omitempty"` // what was not looked at, and why
}

// Clean tells that nothing is wrong: what is worth knowing does not count.
func (r *Report) Clean() bool {
	return !slices.ContainsFunc(r.Findings, func(f *Finding) bool { return f.Severity != problem.Info })
}

// run is one probe in progress.
type run struct {
	Options
	get    *getter
	scope  Scope
	report *Report
	cure   cure
	seen   map[string]*Finding
}

// Run probes a page. The error says why there is no report: the server cannot be
// reached, or the page is behind a login, or is none.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	r := &run{Options: o, get: o.Client.getter(o.URL.Host), seen: map[string]*Finding{}, report: &Report{Findings: []*Finding{}}}
	defer r.get.client.CloseIdleConnections()
	r.scope = Scope{Page: o.URL, Router: o.Router}
	if o.Router != nil {
		r.cure.route = o.Router.Route(o.URL)
		r.report.Route = r.cure.route
	}
	r.scope.Prefix = r.prefix()
	r.cure.scope = &r.scope
	page, err := r.page(ctx)
	if err != nil {
		return nil, err
	}
	r.read(ctx, page)
	if route := r.cure.route; route != nil && route.Served && route.Rewritten && route.Forwarded == "" && r.scope.Prefix != "/" {
		f := &Finding{Page: page.url.String(), Element: "X-Forwarded-Prefix", Goes: route.Goes}
		r.keep(f.say(ForwardedPrefix, problem.Info, r.scope.Prefix+" is taken off the path, and no header tells the application of it"))
	}
	if s, ok := o.Router.(*Server); ok && s.Failed != nil {
		r.note("where the rest leads is not known: %v", s.Failed)
	} else if ok && s.asked > maxAsked {
		r.note("the server was asked about %d URLs; where the rest leads is not known", maxAsked)
	}
	r.finish()
	return r.report, nil
}

// prefix is that of the application.
func (r *run) prefix() string {
	prefix := r.Prefix
	if route := r.cure.route; prefix == "" && route != nil && strings.HasPrefix(route.Prefix, "/") {
		prefix = route.Prefix
	}
	if prefix == "" {
		first, _, more := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
		if prefix = "/"; more || first != "" {
			prefix = "/" + first
		}
	}
	return strings.TrimSuffix(prefix, "/") + "/"
}

// page fetches the page, and follows redirects as long as they stay with the application.
func (r *run) page(ctx context.Context) (*answer, error) {
	at := r.URL
	for range maxRedirects {
		a, err := r.get.get(ctx, at, "text/html,application/xhtml+xml,*/*;q=0.8")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		location := a.header.Get("Location")
		if a.status < 300 || a.status > 399 || location == "" {
			return a, r.served(a)
		}
		next, err := resolve(at, location)
		if err != nil {
			return nil, fmt.Errorf("%s: the Location %q is no URL", at, location)
		}
		if asksLogin(next) {
			return nil, fmt.Errorf("%s asks to log in (%d to %s); give --token or --cookie", at, a.status, next)
		}
		if next.Scheme == "https" && at.Scheme == "http" && sameName(next, at) && r.scope.within(next.EscapedPath()) {
			at, r.get.host, r.scope.Page = next, next.Host, next // as browsers do; the page is https
			continue
		}
		r.headers(a, location)
		r.keep(r.scope.Judge(Reference{Kind: Redirect, Written: location, Element: "Location"}, at, at))
		if !strings.EqualFold(next.Host, at.Host) || next.Scheme != at.Scheme || !r.scope.within(next.EscapedPath()) {
			return a, nil // the redirect is what there is to tell
		}
		at = next
	}
	return nil, fmt.Errorf("%s: more than %d redirects; the last leads to %s", r.URL, maxRedirects, at)
}

// served refuses answers that are no page of the application's.
func (r *run) served(a *answer) error {
	switch {
	case a.status == 401 || a.status == 403:
		return fmt.Errorf("%s answers %d: the page is not for everybody; give --token or --cookie, or see doorward explain %s", a.url, a.status, a.url)
	case a.status >= 400:
		return fmt.Errorf("%s answers %d, so there is no page to look at; see doorward explain %s", a.url, a.status, a.url)
	}
	return nil
}

// asksLogin tells a redirect to a login, whose address says so.
func asksLogin(next *url.URL) bool {
	path := strings.ToLower(next.Path)
	for _, word := range []string{"/oauth2/", "/openid-connect/", "/.doorward/", "/dex/auth"} {
		if strings.Contains(path, word) {
			return true
		}
	}
	return next.Query().Has("client_id") && next.Query().Has("redirect_uri")
}

// headers judges what the headers of an answer say.
func (r *run) headers(a *answer, location string) {
	for _, f := range r.scope.JudgeCookies(a.header, a.url) {
		r.keep(f)
	}
	if refresh := a.header.Get("Refresh"); refresh != "" {
		r.keep(r.scope.Judge(Reference{Kind: Refresh, Written: refreshURL(refresh), Element: "Refresh"}, a.url, a.url))
	}
	if at := a.header.Get("Content-Location"); at != "" && location == "" {
		r.keep(r.scope.Judge(Reference{Kind: Link, Written: at, Element: "Content-Location"}, a.url, a.url))
	}
}

// read judges the page and what it loads.
func (r *run) read(ctx context.Context, a *answer) {
	r.report.URL, r.report.Status = a.url.String(), a.status
	r.scope.Page = a.url
	if a.status >= 300 {
		return
	}
	r.headers(a, "")
	if a.cut {
		r.note("the page is longer than %d MiB; the rest is not looked at", maxAnswer>>20)
	}
	page := Page{}
	if kind := a.header.Get("Content-Type"); kind == "" || strings.Contains(kind, "html") {
		page = ReadPage(a.body)
	} else {
		r.note("it is %s and no HTML: only its headers are looked at", kind)
	}
	r.report.Title = page.Title
	r.cure.app = Recognise(a.header, page.Title, a.body)
	r.report.Application = r.cure.app.Name
	base := a.url
	if page.Base != "" {
		if u, err := resolve(a.url, page.Base); err == nil {
			base = u
		}
	}
	var load []loaded
	for _, ref := range page.References {
		relativeTo := base
		if ref.Kind == Base {
			relativeTo = a.url
		}
		f := r.keep(r.scope.Judge(ref, a.url, relativeTo))
		if u, err := resolve(relativeTo, ref.Written); f == nil && err == nil && loads(ref.Kind) {
			load = append(load, loaded{ref, u})
		}
	}
	r.follow(ctx, a, load)
}

// loaded is a URL that the page loads.
type loaded struct {
	Reference
	url *url.URL
}

func loads(k Kind) bool { return k == Script || k == Style || k == Image || k == Resource }

// follow fetches what a page loads from its own host below the prefix, one level deep.
func (r *run) follow(ctx context.Context, page *answer, load []loaded) {
	done := map[string]bool{}
	load = slices.DeleteFunc(load, func(l loaded) bool {
		key := l.url.Scheme + l.url.Host + l.url.RequestURI()
		again := done[key]
		done[key] = true
		return again || !strings.EqualFold(l.url.Host, page.url.Host) || l.url.Scheme != page.url.Scheme || !r.scope.within(l.url.EscapedPath())
	})
	if len(load) > maxFetches {
		r.note("the page loads %d files; the first %d are looked at", len(load), maxFetches)
		load = load[:maxFetches]
	}
	for i, l := range load {
		if r.get.left <= 0 {
			r.note("%d MiB are read; what the page loads further is not looked at", maxBytes>>20)
			return
		}
		l.url.Fragment = ""
		a, err := r.get.get(ctx, l.url, "*/*")
		if r.Progress != nil {
			r.Progress(i+1, len(load))
		}
		switch {
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
			r.note("time is up: %d of the %d files that the page loads are not looked at", len(load)-i, len(load))
			return
		case err != nil:
			r.note("%s: %v", l.url, err)
		default:
			r.file(page, l, a)
		}
	}
}

// file judges an answer that a page loads.
func (r *run) file(page *answer, l loaded, a *answer) {
	if location := a.header.Get("Location"); a.status >= 300 && a.status < 400 && location != "" {
		r.keep(r.scope.Judge(Reference{Kind: l.Kind, Written: location, Element: "Location"}, l.url, l.url))
		return
	}
	if a.status >= 400 {
		f := &Finding{Page: page.url.String(), Line: l.Line, Element: l.Element, Written: l.Written, Target: l.url.String()}
		if r.Router != nil {
			r.scope.goes(f, l.url)
		}
		r.keep(f.say(Broken, problem.Error, "it answers "+strconv.Itoa(a.status)))
		return
	}
	kind := a.header.Get("Content-Type")
	switch {
	case l.Kind == Script && strings.Contains(kind, "html"):
		f := &Finding{Page: page.url.String(), Line: l.Line, Element: l.Element, Written: l.Written, Target: l.url.String()}
		r.keep(f.say(Broken, problem.Error, "a page of HTML answers where a script is wanted: the path leads elsewhere in the application"))
	case l.Kind == Script || strings.Contains(kind, "javascript"):
		for _, ref := range ReadScript(a.body) {
			base := page.url // scripts ask relative to the page; modules import relative to themselves
			if ref.Element == "import" {
				base = l.url
			}
			r.keep(r.scope.Judge(ref, l.url, base))
		}
	case l.Kind == Style || strings.Contains(kind, "css"):
		for _, ref := range ReadStyle(a.body) {
			r.keep(r.scope.Judge(ref, l.url, l.url))
		}
	}
}

func (r *run) note(format string, args ...any) {
	r.report.Notes = append(r.report.Notes, fmt.Sprintf(format, args...))
}

// keep takes a finding into the report; one that stands in several places once.
func (r *run) keep(f *Finding) *Finding {
	if f == nil {
		return nil
	}
	key := f.Code + " " + f.Element + " " + f.Written
	if before := r.seen[key]; before != nil {
		before.More++
		return f
	}
	r.seen[key] = f
	r.report.Findings = append(r.report.Findings, f)
	return f
}

// finish writes the remedies, and puts the worst first.
func (r *run) finish() {
	r.report.Prefix, r.report.Fetched = r.scope.Prefix, r.get.count
	for _, f := range r.report.Findings {
		r.cure.write(f)
	}
	rank := map[problem.Severity]int{problem.Error: 0, problem.Warning: 1, problem.Info: 2}
	slices.SortStableFunc(r.report.Findings, func(a, b *Finding) int { return cmp.Compare(rank[a.Severity], rank[b.Severity]) })
}

// DefaultTimeout is that of a probe.
const DefaultTimeout = 30 * time.Second
