package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// View is a Router that reads the page /plan of a running server. It knows the rules and
// their order; of conditions beside host and path it knows nothing, and passes such
// rules over.
type View struct {
	Listeners []viewListener `json:"listeners"`
	Backends  []viewBackend  `json:"backends"`
}

type viewListener struct {
	Key    string `json:"key"`
	Chains []struct {
		ServerNames []string   `json:"serverNames"`
		Hosts       []viewHost `json:"hosts"`
	} `json:"chains"`
}

type viewHost struct {
	Name   string      `json:"name"`
	Routes []viewRoute `json:"routes"`
}

type viewRoute struct {
	Path       string   `json:"path"` // `exact "/a"`, `prefix "/a/"`, `regex "..."`
	Conditions []string `json:"conditions"`
	Filters    []string `json:"filters"`
	Origin     struct {
		Object string `json:"object"`
		Field  string `json:"field"`
		File   string `json:"file"`
		Line   int    `json:"line"`
	} `json:"origin"`
	Action struct {
		Kind string `json:"kind"`
		Text string `json:"text"`
		To   []struct {
			Backend  string `json:"backend"`
			Listener string `json:"listener"`
			Missing  string `json:"missing"`
			Headers  string `json:"headers"`
		} `json:"to"`
	} `json:"action"`
}

type viewBackend struct {
	Key     string `json:"key"`
	Service string `json:"service"`
	Port    int    `json:"port"`
}

// maxView bounds /plan, in bytes.
const maxView = 64 << 20

// ReadView asks the admin pages at HOST:PORT for the plan.
func ReadView(ctx context.Context, admin string) (*View, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/plan", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/plan answers %s", resp.Status)
	}
	v := &View{}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxView)).Decode(v); err != nil {
		return nil, fmt.Errorf("/plan is no plan: %w", err)
	}
	return v, nil
}

// Route follows the rules from the edge on.
func (v *View) Route(u *url.URL) *Route {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	var found *Route
	for key := "edge"; key != "" && (found == nil || found.Served); {
		route := v.find(key, strings.ToLower(u.Hostname()), path)
		if route == nil {
			return &Route{Goes: "nowhere: 404, no rule of " + key + " takes " + path}
		}
		found, key = v.read(route)
		if key != "" {
			found.Served = true // so far
		}
	}
	return found
}

// find finds the rule of a listener.
func (v *View) find(key, host, path string) *viewRoute {
	var best *viewHost
	for i := range v.Listeners {
		if v.Listeners[i].Key != key {
			continue
		}
		for _, c := range v.Listeners[i].Chains {
			if key != "edge" && len(c.ServerNames) > 0 {
				continue // the edge hands over in plain text
			}
			for j := range c.Hosts {
				if h := &c.Hosts[j]; fits(h.Name, host) && (best == nil || h.Name == host || best.Name != host && len(h.Name) > len(best.Name)) {
					best = h
				}
			}
		}
	}
	if best == nil {
		return nil
	}
	for i := range best.Routes {
		if r := &best.Routes[i]; len(r.Conditions) == 0 && takes(r.Path, path) {
			return r
		}
	}
	return nil
}

func fits(pattern, host string) bool {
	suffix, wild := strings.CutPrefix(pattern, "*")
	return pattern == host || wild && strings.HasSuffix(host, suffix)
}

// takes reads a condition on the path, as /plan words it.
func takes(condition, path string) bool {
	op, quoted, _ := strings.Cut(condition, " ")
	value, err := strconv.Unquote(quoted)
	switch {
	case op == "anything":
		return true
	case err != nil:
		return false
	case op == "exact":
		return path == value
	case op == "prefix":
		return strings.HasPrefix(path, value) || path+"/" == value
	case op == "regex":
		form, err := regexp.Compile("^(?:" + value + ")$")
		return err == nil && form.MatchString(path)
	}
	return false
}

// read is a rule as a Route, and the listener that takes the request over, if any.
func (v *View) read(from *viewRoute) (r *Route, next string) {
	o := from.Origin
	r = &Route{Object: o.Object, Field: o.Field, File: o.File, Line: o.Line, Goes: "nowhere: " + from.Action.Text}
	if value, ok := strings.CutPrefix(from.Path, "prefix "); ok {
		r.Prefix, _ = strconv.Unquote(value)
	}
	r.Rewritten = strings.Contains(from.Action.Text, " becomes ") && !strings.Contains(from.Action.Text, "becomes "+strconv.Quote(r.Prefix))
	texts := from.Filters
	if len(from.Action.To) > 0 {
		to := from.Action.To[0]
		texts = append(texts[:len(texts):len(texts)], to.Headers)
		if next = to.Listener; next != "" {
			return r, next
		}
		if to.Missing != "" {
			r.Goes = "nowhere: " + to.Missing
		} else {
			r.Goes, r.Served = v.service(to.Backend), true
		}
	}
	r.Forwarded = forwardedIn(texts)
	return r, ""
}

// service is the name of a backend's Service.
func (v *View) service(key string) string {
	for _, b := range v.Backends {
		if b.Key == key && b.Service != "" {
			return b.Service + ":" + strconv.Itoa(b.Port)
		}
	}
	return key
}
