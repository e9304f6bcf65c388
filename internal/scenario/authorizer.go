package scenario

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/plan"
)

// Authorizer is an external authorizer behind a Service port, with its replies. The
// first that fits is given; without one it is 403.
type Authorizer struct {
	Up
	Replies []AuthorizerReply
}

// AuthorizerReply is one reply to checks.
type AuthorizerReply struct {
	Path   string        // the check's target begins so
	Has    header.Fields // the check has these fields
	Lacks  []string      // and not these
	Size   int           // its body has so many bytes; -1: any
	Status int           // of the reply
	Header header.Fields
	Text   string // its body
}

// Answer is what the authorizer answers to a check.
func (a *Authorizer) Answer(target string, f header.Fields, size int) *AuthorizerReply {
	for i := range a.Replies {
		if a.Replies[i].fits(target, f, size) {
			return &a.Replies[i]
		}
	}
	return &AuthorizerReply{Status: 403}
}

func (r *AuthorizerReply) fits(target string, f header.Fields, size int) bool {
	if !strings.HasPrefix(target, r.Path) || r.Size >= 0 && r.Size != size {
		return false
	}
	for _, want := range r.Has {
		if got, ok := f.Joined(want.Name, ","); !ok || got != want.Value {
			return false
		}
	}
	for _, name := range r.Lacks {
		if f.Has(name) {
			return false
		}
	}
	return true
}

// authorizer reads the line that names one.
func (p *parser) authorizer(text string) error {
	up, err := ParseUp(text)
	if err != nil {
		return fmt.Errorf("authorizer: %w", err)
	}
	p.s.Authorizers = append(p.s.Authorizers, Authorizer{Up: up})
	p.replies = &p.s.Authorizers[len(p.s.Authorizers)-1]
	return nil
}

// reply reads an indented line below an authorizer.
func (a *Authorizer) line(text string) error {
	word, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	if word == "reply" {
		status, body, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(status)
		if err != nil || n < 200 || n > 599 {
			return fmt.Errorf("reply %q does not begin with a status from 200 to 599", rest)
		}
		a.Replies = append(a.Replies, AuthorizerReply{Status: n, Text: strings.TrimSpace(body), Size: -1})
		return nil
	}
	if len(a.Replies) == 0 {
		return fmt.Errorf("%q stands under an authorizer without a reply above it", text)
	}
	r := &a.Replies[len(a.Replies)-1]
	lacks, no := strings.CutPrefix(rest, "no ")
	path, isPath := strings.CutPrefix(rest, "path ")
	size, isSize := strings.CutPrefix(rest, "body ")
	name, value, isField := strings.Cut(rest, ":")
	f := header.Field{Name: strings.ToLower(strings.TrimSpace(name)), Value: strings.TrimSpace(value)}
	switch {
	case word == "to" && no:
		r.Lacks = append(r.Lacks, strings.ToLower(lacks))
	case word == "to" && isPath:
		r.Path = path
	case word == "to" && isSize:
		n, err := strconv.Atoi(size)
		if err != nil || n < 0 {
			return fmt.Errorf("body %q is no number of bytes", size)
		}
		r.Size = n
	case word == "to" && isField:
		r.Has = append(r.Has, f)
	case word == "with" && isField:
		r.Header = append(r.Header, f)
	default:
		return fmt.Errorf("%q under an authorizer is none of reply STATUS, to path PREFIX, to body SIZE, to NAME: VALUE, to no NAME, with NAME: VALUE", text)
	}
	return nil
}

// asked is the plan.Authorizer of a scenario: its authorizers, and the request's body.
type asked struct {
	authorizers []Authorizer
	body        int64
}

// Ask answers as the scenario says.
func (a *asked) Ask(p *plan.Provider, c *plan.Check) plan.Verdict {
	if p.Body > 0 && a.body > 0 {
		if a.body > int64(p.Body) && !p.PartialBody {
			return plan.Verdict{Err: plan.ErrBodyTooLarge}
		}
		c.CarryBody(p, make([]byte, min(a.body, int64(p.Body)+1)), true)
	}
	if p.Backend.Missing != "" {
		return plan.Verdict{Err: errors.New(p.Backend.Missing)}
	}
	for i := range a.authorizers {
		x := &a.authorizers[i]
		if x.Namespace == p.Backend.Service.Namespace && x.Service == p.Backend.Service.Name && x.Port == strconv.Itoa(p.Backend.Port) {
			r := x.Answer(c.Target, c.Header, len(c.Body))
			return p.Judge(r.Status, r.Header, r.Text)
		}
	}
	return plan.Verdict{Err: errors.New("the scenario has no authorizer " + BackendName(p.Backend))}
}
