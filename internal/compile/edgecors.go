package compile

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// cors are what the annotations of an Ingress ask for about cross-origin requests.
type cors struct {
	enabled                       bool
	origins                       []string
	methods, headers, expose, age string
	credentials                   bool
}

// defaultCORS is enable-cors where nothing else is said (ingress-nginx, cors).
func defaultCORS() cors {
	return cors{origins: []string{"*"}, credentials: true, age: "1728000",
		methods: "GET, PUT, POST, DELETE, PATCH, OPTIONS",
		headers: "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization"}
}

// The forms that ingress-nginx takes.
var (
	corsOriginList = regexp.MustCompile(`^((((([a-z]+://)?(\*\.)?[A-Za-z0-9\-.]*(:\d+)?,?)|null)+)|\*)?$`)
	corsOrigin     = regexp.MustCompile(`^([a-z]+://(\*\.)?[A-Za-z0-9\-.]*(:\d+)?|\*|null)$`)
	corsMethods    = regexp.MustCompile(`^([A-Za-z]+,?\s?)+$`)
	corsHeaders    = regexp.MustCompile(`^[A-Za-z0-9-_, ]*$`)
	corsExpose     = regexp.MustCompile(`^(([A-Za-z0-9\-\_]+|\*),?\s?)+$`)
)

// set reads one annotation.
func (c *cors) set(name, value string) (ok, known bool) {
	text := func(to *string, form *regexp.Regexp) bool {
		ok := form.MatchString(value) && !strings.ContainsAny(value, "\r\n")
		if ok {
			*to = value
		}
		return ok
	}
	switch name {
	case "enable-cors":
		ok = truth(value, &c.enabled)
	case "cors-allow-credentials":
		ok = truth(value, &c.credentials)
	case "cors-allow-methods":
		ok = text(&c.methods, corsMethods)
	case "cors-allow-headers":
		ok = text(&c.headers, corsHeaders)
	case "cors-expose-headers":
		ok = text(&c.expose, corsExpose)
	case "cors-max-age":
		_, err := strconv.Atoi(value)
		if ok = err == nil; ok {
			c.age = value
		}
	case "cors-allow-origin":
		ok = c.setOrigins(value)
	default:
		return false, false
	}
	return ok, true
}

// setOrigins reads a list; what is no origin in it is passed over, and makes it
// no good list.
func (c *cors) setOrigins(value string) (ok bool) {
	if !corsOriginList.MatchString(strings.ReplaceAll(value, " ", "")) {
		return false
	}
	c.origins, ok = nil, true
	for _, o := range list(value) {
		switch {
		case o == "*":
			c.origins = []string{"*"}
			return ok
		case corsOrigin.MatchString(o):
			c.origins = append(c.origins, o)
		default:
			ok = false
		}
	}
	return ok
}

// guard is the guard and filter of enable-cors, or nil.
func (c *cors) guard() *plan.EdgeCORS {
	if !c.enabled {
		return nil
	}
	g := &plan.EdgeCORS{}
	for _, o := range c.origins {
		if o == "*" {
			g.Any = true
			continue
		}
		expr := strings.Replace(regexp.QuoteMeta(o), `\*`, `[A-Za-z0-9\-]+`, 1)
		if t, err := match.NewRegex("(?i)" + expr); err == nil {
			g.Origins = append(g.Origins, t)
		}
	}
	add := func(name, value string) {
		if value != "" {
			g.Header = append(g.Header, header.Field{Name: "access-control-" + name, Value: value})
		}
	}
	if c.credentials {
		add("allow-credentials", "true")
	}
	add("allow-methods", c.methods)
	add("allow-headers", c.headers)
	add("expose-headers", c.expose)
	add("max-age", c.age)
	return g
}
