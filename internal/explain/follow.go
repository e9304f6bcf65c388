package explain

import (
	"net/url"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// maxRedirects is where browsers give up.
const maxRedirects = 20

// follow asks about the redirects that come of an answer, as a browser follows them:
// until one is no redirect, leads out of the plan, or leads back.
func (e *Explanation) follow(g Ground, q Question) {
	at := e
	urls := []string{q.URL}
	by := []string{}
	for at.Outcome == "redirected" && len(e.Followed) < maxRedirects {
		location, ok := absolute(q.URL, answered(at, "location"))
		if !ok {
			return
		}
		q.redirectTo(location, at.Answer.Status)
		if !q.listens(g.Plan, hostOf(at.Request.URL)) {
			return
		}
		by = append(by, at.By)
		for i, before := range urls {
			if before == location {
				e.Loop = strings.Join(append(urls[i:], location), " -> ") + ", by " + strings.Join(distinct(by[i:]), " and ")
				e.Served, e.Outcome = false, "refused"
				e.Reason = "the redirects lead in a circle"
				return
			}
		}
		urls = append(urls, location)
		next, err := explainOne(g, &q)
		if err != nil {
			return
		}
		e.Followed = append(e.Followed, next)
		at = next
	}
}

// redirectTo is the request that a browser sends to a Location.
func (q *Question) redirectTo(location string, status int) {
	if old, new := hostOf(q.URL), hostOf(location); old != new {
		kept := q.Headers[:0:0]
		for _, h := range q.Headers {
			if name, _, _ := strings.Cut(strings.ToLower(h), ":"); name != "authorization" && name != "host" && name != "cookie" {
				kept = append(kept, h)
			}
		}
		q.Headers = kept
	}
	q.URL = location
	if status != 307 && status != 308 && q.Method != "HEAD" {
		q.Method = "GET"
	}
}

// listens chooses the listener that the URL is asked at, where that is a port of a
// Service and the scheme needs another one. It is false where there is none, and where
// the plan names no such host: what it has for any host is not for all the world, so a
// redirect to another host leads out of it.
func (q *Question) listens(p *plan.Plan, before string) bool {
	secure := strings.HasPrefix(q.URL, "https:")
	l := p.Listener(q.Via)
	if l == nil || hostOf(q.URL) != before && !names(l, hostOf(q.URL)) {
		return false
	}
	if l.Dialect == plan.NGINX || l.TLS() == secure {
		return true
	}
	service, _, _ := strings.Cut(l.Key, ":")
	for _, other := range p.Listeners() {
		if strings.HasPrefix(other.Key, service+":") && other.TLS() == secure {
			q.Via = other.Key
			return true
		}
	}
	return false
}

// names tells whether a listener has a host by its name or a suffix of it.
func names(l *plan.Listener, host string) bool {
	name := match.HostName(host)
	for _, c := range l.Chains {
		for _, h := range c.Hosts {
			if h.Name == name || len(h.Name) > 1 && h.Name[0] == '*' && strings.HasSuffix(name, h.Name[1:]) {
				return true
			}
		}
	}
	return false
}

func answered(e *Explanation, name string) string {
	for _, f := range e.Answer.Headers {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// absolute is the URL that a Location means (RFC 9110 section 10.2.2).
func absolute(base, location string) (string, bool) {
	b, err := url.Parse(base)
	if err != nil {
		return "", false
	}
	u, err := b.Parse(location)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", false
	}
	u.Fragment = ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String(), true
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}

func distinct(list []string) (all []string) {
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
	}
	return all
}
