package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/caller"
)

// Server is a Router that asks a running Doorward, at its admin page /explain.
type Server struct {
	ctx   context.Context
	admin string
	known map[string]*Route // by URL
	asked int
	// Failed is why the server could not be asked, at last.
	Failed error
}

const (
	maxAsked       = 256     // URLs that a server is asked about
	maxExplanation = 4 << 20 // bytes
)

// NewServer is the Doorward whose admin pages are at HOST:PORT. It must answer.
func NewServer(ctx context.Context, admin string, about *url.URL) (*Server, error) {
	s := &Server{ctx: ctx, admin: admin, known: map[string]*Route{}}
	if s.Route(about); s.Failed != nil {
		return nil, s.Failed
	}
	return s, nil
}

// explanation is what is read of an answer of /explain.
type explanation struct {
	Reason  string `json:"reason"`
	Forward *struct {
		Backend string `json:"backend"`
		Target  string `json:"target"`
		Headers []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"headers"`
	} `json:"forward"`
	Hops []struct {
		Route  string `json:"route"`
		Origin string `json:"origin"`
	} `json:"hops"`
}

// Route asks what becomes of a URL, as somebody who is logged in.
func (s *Server) Route(u *url.URL) *Route {
	key := u.String()
	if r, ok := s.known[key]; ok {
		return r
	}
	if s.asked++; s.asked > maxAsked || s.Failed != nil {
		return nil
	}
	e, err := s.ask(key)
	if err != nil {
		s.Failed = fmt.Errorf("--admin %s: %w", s.admin, err)
		return nil
	}
	s.known[key] = e.route(u)
	return s.known[key]
}

func (s *Server) ask(about string) (*explanation, error) {
	question, err := json.Marshal(map[string]any{"url": about, "navigate": true, "as": caller.Spec{User: somebody}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.admin+"/explain", bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy of the environment: it is this machine
	resp, err := client.Do(req)
	if err != nil {
		return nil, explain(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxExplanation))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/explain answers %s: %s", resp.Status, strings.TrimSpace(string(body[:min(len(body), 200)])))
	}
	e := &explanation{}
	if err := json.Unmarshal(body, e); err != nil || len(e.Hops) == 0 {
		return nil, errors.New("what answers there is no Doorward of this version")
	}
	return e, nil
}

var (
	prefixRule = regexp.MustCompile(`^path prefix ("(?:[^"\\]|\\.)*")`)
	placedAt   = regexp.MustCompile(`^(.*?)(?: \((.+):(\d+)\))?$`)
)

// route reads an explanation.
func (e *explanation) route(u *url.URL) *Route {
	r := &Route{Goes: "nowhere: " + e.Reason}
	for _, h := range e.Hops {
		if h.Origin == "" {
			continue
		}
		m := placedAt.FindStringSubmatch(h.Origin)
		parts := strings.SplitN(m[1], " ", 3) // Kind namespace/name field
		r.Object, r.Field, r.File, r.Prefix = strings.Join(parts[:min(2, len(parts))], " "), "", m[2], ""
		r.Line, _ = strconv.Atoi(m[3])
		if len(parts) == 3 {
			r.Field = parts[2]
		}
		if p := prefixRule.FindStringSubmatch(h.Route); p != nil {
			r.Prefix, _ = strconv.Unquote(p[1])
		}
	}
	if f := e.Forward; f != nil {
		r.Goes, r.Served = f.Backend, true
		path, _, _ := strings.Cut(f.Target, "?")
		r.Rewritten = r.Prefix != "" && path != u.EscapedPath() && !strings.HasPrefix(path, strings.TrimSuffix(r.Prefix, "/")+"/")
		for _, h := range f.Headers {
			switch h.Name {
			case "x-forwarded-prefix":
				r.Forwarded = h.Value
			case "x-forwarded-proto":
				r.Proto = h.Value
			}
		}
	}
	return r
}
