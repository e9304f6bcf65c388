package compile

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// affinity is what the annotations of an Ingress ask for about which endpoint a
// client gets.
type affinity struct {
	sticky bool
	cookie plan.Sticky
	hashBy string
}

var (
	cookieAge  = regexp.MustCompile(`^(-?[1-9][0-9]*|0)$`)
	sameSite   = regexp.MustCompile(`^(None|Lax|Strict)$`)
	cookieName = regexp.MustCompile(`^[-._~a-zA-Z0-9]+$`)
	cookiePath = regexp.MustCompile(`^[-._~a-zA-Z0-9/:]*$`)
	hashKey    = regexp.MustCompile(`^[-_a-zA-Z0-9${}]*$`)
)

// set reads one annotation.
func (a *affinity) set(name, value string) (ok, known bool) {
	c := &a.cookie
	text := func(to *string, form *regexp.Regexp) bool {
		ok := form.MatchString(value)
		if ok {
			*to = value
		}
		return ok
	}
	switch name {
	case "affinity":
		ok = value == "cookie"
		a.sticky = ok
	case "affinity-mode":
		ok = value == "balanced" || value == "persistent"
	case "session-cookie-name":
		ok = text(&c.Name, cookieName)
	case "session-cookie-path":
		ok = text(&c.Path, cookiePath)
	case "session-cookie-domain":
		ok = text(&c.Domain, cookiePath)
	case "session-cookie-samesite":
		ok = text(&c.SameSite, sameSite)
	case "session-cookie-max-age":
		ok = text(&c.MaxAge, cookieAge)
	case "session-cookie-expires":
		if ok = cookieAge.MatchString(value); ok {
			c.Expires, _ = strconv.Atoi(value)
		}
	case "session-cookie-secure":
		var on bool
		if ok = truth(value, &on); ok {
			c.Secure, c.Insecure = on, !on
		}
	case "upstream-hash-by":
		ok = text(&a.hashBy, hashKey)
	default:
		return false, false
	}
	return ok, true
}

// hash is what the backend of a location is chosen by, or nil: the cookie, whose
// path is the rule's unless one is named (ingress-nginx, sticky.lua), or the text
// of upstream-hash-by.
func (e *edge) hash(l *location, upstream string) *plan.Hash {
	a := &l.ingress.affinity
	switch {
	case a.sticky:
		c := a.cookie
		c.Name = or(c.Name, "INGRESSCOOKIE")
		c.Path = or(c.Path, l.path)
		once := md5.Sum([]byte(upstream))
		twice := md5.Sum([]byte(hex.EncodeToString(once[:]) + upstream))
		c.Mark = hex.EncodeToString(twice[:])
		return &plan.Hash{Sticky: &c}
	case a.hashBy == "":
		return nil
	}
	name, isVariable := strings.CutPrefix(strings.NewReplacer("{", "", "}", "").Replace(a.hashBy), "$")
	dashed := strings.ReplaceAll(name, "_", "-")
	header, isHeader := strings.CutPrefix(dashed, "http-")
	query, isQuery := strings.CutPrefix(name, "arg_")
	cookie, isCookie := strings.CutPrefix(name, "cookie_")
	switch {
	case !isVariable || strings.Contains(name, "$"):
	case name == "request_uri":
		return &plan.Hash{Target: true}
	case name == "remote_addr" || name == "binary_remote_addr":
		return &plan.Hash{Peer: true}
	case name == "host" || name == "http_host":
		return &plan.Hash{Header: "host"}
	case isHeader:
		return &plan.Hash{Header: strings.ToLower(header)}
	case isQuery:
		return &plan.Hash{Query: query}
	case isCookie:
		return &plan.Hash{Cookie: cookie}
	}
	item := l.ingress.item
	e.c.problem(problem.NotCarriedOut, item.Ref, item.Origin, annotationField("upstream-hash-by"),
		"the text "+strconv.Quote(a.hashBy)+" is not carried out; endpoints are taken in turn",
		"use one of $request_uri, $remote_addr, $host, $http_NAME, $arg_NAME and $cookie_NAME alone")
	return nil
}

// hashName tells the backends of one Service apart that are chosen by other things.
func hashName(h *plan.Hash) string {
	if h == nil {
		return ""
	}
	name := "-by-"
	text := fmt.Sprintf("%q %q %q %v %v", h.Header, h.Query, h.Cookie, h.Target, h.Peer)
	if h.Sticky != nil {
		name, text = "-sticky-", fmt.Sprintf("%+v", *h.Sticky)
	}
	sum := md5.Sum([]byte(text))
	return name + hex.EncodeToString(sum[:4])
}
