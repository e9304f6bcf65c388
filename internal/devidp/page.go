package devidp

import (
	_ "embed"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

//go:embed page.html
var pageText string

// view is what a page shows.
type view struct {
	Title, Error string
	// Form is the address of the login form; "" shows none.
	Form               string
	ID, Client, Email  string
	EmailFocus, Failed bool
	Text               string
}

func pages() *template.Template { return template.Must(template.New("page").Parse(pageText)) }

// showLogin shows the form for a login under way.
func (p *Provider) showLogin(w http.ResponseWriter, r *http.Request) {
	id := r.FormValue("id")
	request := p.store.request(id)
	if request == nil {
		p.expired(w)
		return
	}
	p.form(w, http.StatusOK, id, request.ClientID, request.LoginHint, "")
}

// login takes the form.
func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	id, email, password := r.PostFormValue("id"), strings.ToLower(strings.TrimSpace(r.PostFormValue("email"))), r.PostFormValue("password")
	request := p.store.request(id)
	if request == nil {
		p.expired(w)
		return
	}
	if wait, ok := p.tries.take(email); !ok {
		p.log.Warn("development login: too many wrong passwords", "email", email)
		seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
		w.Header().Set("Retry-After", seconds)
		p.form(w, http.StatusTooManyRequests, id, request.ClientID, email, "Too many wrong passwords. Try again in "+seconds+" seconds.")
		return
	}
	user, ok := p.checked(r, email, password)
	if !ok {
		p.form(w, http.StatusForbidden, id, request.ClientID, email, "The e-mail address or the password is wrong.")
		return
	}
	p.tries.giveBack(email)
	if !p.store.loggedIn(id, user) {
		p.expired(w)
		return
	}
	http.Redirect(w, r, p.path+"/auth/callback?id="+url.QueryEscape(id), http.StatusSeeOther)
}

// checked tells who has that password. An unknown name takes as long as a known one.
func (p *Provider) checked(r *http.Request, email, password string) (*User, bool) {
	select {
	case p.tries.slots <- struct{}{}:
		defer func() { <-p.tries.slots }()
	case <-r.Context().Done():
		return nil, false
	}
	user := p.store.users[email]
	hash := p.store.nobody
	if user != nil {
		hash = []byte(user.Password)
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil {
		return nil, false
	}
	return user, user != nil
}

func (p *Provider) form(w http.ResponseWriter, status int, id, client, email, problem string) {
	p.show(w, status, view{Title: "Log in", Form: p.path + "/login", ID: id, Client: client, Email: email,
		EmailFocus: email == "", Failed: problem != "", Error: problem})
}

func (p *Provider) expired(w http.ResponseWriter) {
	p.show(w, http.StatusBadRequest, view{Title: "This login has expired", Text: "Go back to the application and begin again."})
}

func (p *Provider) loggedOut(w http.ResponseWriter, _ *http.Request) {
	p.show(w, http.StatusOK, view{Title: "Logged out", Text: "You can close this window."})
}

// show writes a page that nobody may frame or keep, and that loads nothing.
func (p *Provider) show(w http.ResponseWriter, status int, v view) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := p.store.pages.Execute(w, v); err != nil {
		p.log.Debug("development login: a page was not sent", "error", err)
	}
}

// dummyHash is what the password of a name that nobody has is compared with.
func dummyHash(users []User) []byte {
	cost := bcrypt.DefaultCost
	for i, u := range users {
		if c, err := bcrypt.Cost([]byte(u.Password)); err == nil && (i == 0 || c > cost) {
			cost = c
		}
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(time.Now().String()), cost)
	if err != nil {
		return nil // the comparison fails at once
	}
	return hash
}
