package scenario

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/txtar"

	"github.com/doorward/doorward/internal/header"
)

// Parse reads an archive. Its error names file, line, what was found and what
// is known.
func Parse(name string, data []byte) (*Scenario, error) {
	a := txtar.Parse(data)
	s := &Scenario{Name: name}
	line := strings.Count(string(a.Comment), "\n") + 1
	for _, f := range a.Files {
		s.Files = append(s.Files, File{Name: f.Name, Line: line + 1, Data: f.Data})
		line += strings.Count(string(f.Data), "\n") + 1
	}
	p := parser{s: s, via: "edge", tokens: tokens{}, each: Request{Chance: 0.5}}
	for i, text := range strings.Split(string(a.Comment), "\n") {
		if err := p.line(i+1, text); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
	}
	if len(s.Requests) == 0 {
		return nil, fmt.Errorf("%s: there is no request; write one like GET https://app.example.com/ -> 404", name)
	}
	for _, r := range s.Requests {
		if r.Want == "" {
			return nil, fmt.Errorf("%s:%d: %s has no expected outcome; write -> 404, or run with -update to fill it in", name, r.Line, r.Method)
		}
	}
	return s, nil
}

type parser struct {
	s       *Scenario
	via     string
	tokens  tokens
	each    Request     // what all requests have in common
	common  bool        // the lines that follow are for each
	replies *Authorizer // whose lines follow; nil: a request's do
}

func (p *parser) line(n int, text string) error {
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed == "":
		return nil
	case strings.HasPrefix(trimmed, "#"):
		if len(p.s.Requests) == 0 {
			p.s.About = strings.TrimSpace(p.s.About + " " + strings.TrimSpace(strings.TrimPrefix(trimmed, "#")))
		}
		return nil
	}
	trimmed, err := p.tokens.expand(trimmed)
	switch {
	case err != nil:
		return err
	case text[0] != ' ' && text[0] != '\t':
		p.replies = nil
		return p.margin(n, trimmed)
	case p.replies != nil:
		return p.replies.line(trimmed)
	case p.common:
		return p.indented(n, trimmed, &p.each)
	case len(p.s.Requests) == 0:
		return fmt.Errorf("%q is indented but stands under no request", trimmed)
	}
	return p.indented(n, trimmed, &p.s.Requests[len(p.s.Requests)-1])
}

// margin reads a request or a setting.
func (p *parser) margin(n int, text string) error {
	word, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	p.common = word == "each"
	switch word {
	case "each":
		p.each = Request{Chance: 0.5}
		return nil
	case "via":
		p.via = rest
		return nil
	case "class":
		p.s.Classes = append(p.s.Classes, rest)
		return nil
	case "manifests":
		p.s.Manifests = append(p.s.Manifests, filepath.Join(filepath.Dir(p.s.Name), rest))
		return nil
	case "kustomization":
		p.s.Kustomizations = append(p.s.Kustomizations, filepath.Join(filepath.Dir(p.s.Name), rest))
		return nil
	case "up":
		up, err := ParseUp(rest)
		p.s.Ups = append(p.s.Ups, up)
		return err
	case "authorizer":
		return p.authorizer(rest)
	case "token":
		return p.tokens.add(rest)
	}
	if word != strings.ToUpper(word) {
		return fmt.Errorf("%q is neither a request (METHOD URL) nor one of via, up, class, token, each, authorizer, manifests, kustomization", word)
	}
	raw, want, _ := strings.Cut(rest, " -> ")
	raw = strings.TrimSpace(raw)
	r := p.each
	r.Line, r.Via, r.Method = n, p.via, word
	r.Header, r.Checks = r.Header.Clone(), slices.Clone(r.Checks)
	if err := r.SetURL(raw); err != nil {
		return err
	}
	if want != "" {
		r.Want, r.WantLine = strings.TrimSpace(want), n
	}
	p.s.Requests = append(p.s.Requests, r)
	return nil
}

// SetURL sets Secure, Host, SNI and Target from an http or https URL. The target
// is kept byte for byte: only scheme and host are cut off.
func (r *Request) SetURL(raw string) error {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return fmt.Errorf("%q is no http:// or https:// URL", raw)
	}
	i := strings.IndexAny(rest, "/?")
	if i < 0 {
		rest, i = rest+"/", len(rest)
	}
	r.Secure = scheme == "https"
	r.Host, r.Target = rest[:i], rest[i:]
	if r.Target[0] == '?' {
		r.Target = "/" + r.Target
	}
	u, err := url.Parse(scheme + "://" + r.Host)
	if err != nil {
		return fmt.Errorf("%q is no host", r.Host)
	}
	r.SNI = strings.ToLower(u.Hostname())
	return nil
}

// ParseUp reads NAMESPACE/SERVICE:PORT and labels.
func ParseUp(text string) (Up, error) {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return Up{}, fmt.Errorf("up needs NAMESPACE/SERVICE:PORT")
	}
	ns, rest, ok := strings.Cut(fields[0], "/")
	svc, port, ok2 := strings.Cut(rest, ":")
	if !ok || !ok2 {
		return Up{}, fmt.Errorf("%q is not NAMESPACE/SERVICE:PORT", fields[0])
	}
	u := Up{Namespace: ns, Service: svc, Port: port}
	for _, l := range fields[1:] {
		k, v, ok := strings.Cut(l, "=")
		if !ok {
			return Up{}, fmt.Errorf("%q is not label=value", l)
		}
		if u.Labels == nil {
			u.Labels = map[string]string{}
		}
		u.Labels[k] = v
	}
	return u, nil
}

// indented reads a line that belongs to a request.
func (p *parser) indented(n int, text string, r *Request) error {
	word, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "->":
		if r.Want != "" {
			return fmt.Errorf("a second outcome; the request has %q", r.Want)
		}
		r.Want, r.WantLine = rest, n
	case "send":
		return r.send(rest)
	case "host":
		r.Host = rest
	case "chance":
		f, err := strconv.ParseFloat(rest, 64)
		if err != nil || f < 0 || f >= 1 {
			return fmt.Errorf("chance %q is no number from 0 to below 1", rest)
		}
		r.Chance = f
	case "got", "answer":
		c := Check{Line: n, Kind: word}
		if name, ok := strings.CutPrefix(rest, "no "); ok {
			c.No, c.Name = true, strings.ToLower(strings.TrimSpace(name))
		} else {
			name, value, ok := strings.Cut(rest, ":")
			if !ok {
				return fmt.Errorf("%q is not NAME: VALUE or no NAME", rest)
			}
			c.Name, c.Value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		}
		r.Checks = append(r.Checks, c)
	case "delay", "because":
		r.Checks = append(r.Checks, Check{Line: n, Kind: word, Value: rest})
	default:
		return fmt.Errorf("%q is none of ->, send, host, chance, got, answer, delay, because", word)
	}
	return nil
}

// send reads what a request carries.
func (r *Request) send(text string) error {
	if size, ok := strings.CutPrefix(text, "body "); ok {
		return r.body(size)
	}
	if size, ok := strings.CutPrefix(text, "chunked "); ok {
		r.Chunked = true
		return r.body(size)
	}
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return fmt.Errorf("send %q is not NAME: VALUE, body SIZE or chunked SIZE", text)
	}
	r.Header = append(r.Header, header.Field{Name: strings.ToLower(strings.TrimSpace(name)), Value: strings.TrimSpace(value)})
	return nil
}

func (r *Request) body(size string) error {
	unit := int64(1)
	switch {
	case strings.HasSuffix(size, "k"):
		unit, size = 1<<10, size[:len(size)-1]
	case strings.HasSuffix(size, "m"):
		unit, size = 1<<20, size[:len(size)-1]
	}
	n, err := strconv.ParseInt(size, 10, 32)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is no size; write 100, 10k or 2m", size)
	}
	r.Body = n * unit
	return nil
}
