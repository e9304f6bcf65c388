package login

import (
	"bytes"
	"html/template"
	"net/url"

	"github.com/doorward/doorward/internal/plan"
)

// pages are all that people see of Doorward's login.
var pages = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Title}}</title>
<style>
body { font: 1.125rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto 0; padding: 0 1rem }
h1 { font-size: 1.5rem }
a { display: inline-block; padding: .6rem 1.2rem; border: 1px solid; border-radius: .4rem; color: inherit; text-decoration: none }
a:hover, a:focus-visible { outline: 3px solid Highlight }
</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
{{with .Link}}<p><a href="{{.}}">{{$.Action}}</a></p>
{{end}}</main>
</body>
</html>
`))

// page is an answer for a person, or one line for a program. link, where it is not "",
// is a path to go on at.
func page(v *plan.Visit, status int, title, text, link, why string) plan.Entry {
	return pageWith(v, status, title, text, link, "Try again", why)
}

func pageWith(v *plan.Visit, status int, title, text, link, action, why string) plan.Entry {
	r := &plan.Reply{Status: status, Reason: why}
	if !v.Navigation && v.Page == plan.NoLoginPage {
		r.Header.Add("content-type", "text/plain; charset=utf-8")
		r.Body = title + "\n"
	} else {
		var b bytes.Buffer
		_ = pages.Execute(&b, struct{ Title, Text, Link, Action string }{title, text, link, action}) // to memory
		r.Header.Add("content-type", "text/html; charset=utf-8")
		r.Header.Add("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
		r.Header.Add("x-content-type-options", "nosniff")
		r.Body = b.String()
	}
	noStore(r)
	return plan.Entry{Reply: r, Why: why}
}

// redirect sends a browser elsewhere.
func redirect(to, why string) plan.Entry {
	r := &plan.Reply{Status: 302, Reason: why}
	r.Header.Add("location", to)
	noStore(r)
	return plan.Entry{Reply: r, Why: why}
}

// failed tells a person that a login came to nothing, and offers another. Why is for
// operators only.
func (s *site) failed(v *plan.Visit, target, why string) plan.Entry {
	s.count.failed.Add(1)
	s.m.o.Log.Info("a login came to nothing", "provider", s.config.Load().Key, "reason", why)
	return page(v, 403, "This login did not work",
		"It may have taken too long, been begun in another window, or been refused. You can begin again.", s.startAt(target), why)
}

// signIn is a page with a button, as oauth2-proxy has it.
func (s *site) signIn(v *plan.Visit) plan.Entry {
	return pageWith(v, 200, "Log in", "You need to log in to go on.", s.startAt(s.wanted(v)), "Log in", "the login page")
}

// startAt is the path that begins a login for a target.
func (s *site) startAt(target string) string {
	return s.config.Load().Path(plan.LoginStart) + "?rd=" + url.QueryEscape(target)
}
