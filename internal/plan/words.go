package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What filters and actions do, in words, for people.

// Describe says what an action does: "forward; the prefix /a/ becomes /; timeout 5s".
func Describe(a Action) string {
	switch a := a.(type) {
	case *Redirect:
		return a.describe()
	case *Direct:
		return "answer " + strconv.Itoa(a.Status)
	case *Forward:
		return a.describe()
	}
	return ""
}

func (d *Redirect) describe() string {
	parts := []string{"redirect with " + strconv.Itoa(d.Code)}
	add := func(what, value string) {
		if value != "" {
			parts = append(parts, what+" "+value)
		}
	}
	add("to", d.URL)
	add("scheme", d.Scheme)
	add("host", d.Host)
	add("port", d.Port)
	add("path", d.Path)
	if d.Rewrite != nil {
		parts = append(parts, d.Rewrite.String())
	}
	return strings.Join(parts, "; ")
}

func (f *Forward) describe() string {
	parts := []string{"forward"}
	if f.Rewrite != nil {
		parts = append(parts, f.Rewrite.String())
	}
	if f.Host != "" {
		parts = append(parts, "host becomes "+f.Host)
	}
	for _, l := range []struct {
		what string
		d    time.Duration
	}{
		{"timeout", f.Limits.Total}, {"connect timeout", f.Limits.Connect}, {"read timeout", f.Limits.Read},
		{"send timeout", f.Limits.Send}, {"idle timeout", f.Limits.Idle},
	} {
		if l.d > 0 {
			parts = append(parts, l.what+" "+l.d.String())
		}
	}
	if n := f.Retry.Attempts; n > 0 {
		parts = append(parts, "up to "+strconv.Itoa(n)+" retries")
	}
	return strings.Join(parts, "; ")
}

// String says what becomes of the path.
func (w *Rewrite) String() string {
	switch {
	case w.First:
		return "the path becomes " + w.With + ", with groups of " + w.Regex.String()
	case w.Regex != nil:
		return "hits of " + w.Regex.String() + " in the path become " + w.With
	case w.Whole:
		return "the path becomes " + w.With
	}
	return "the prefix " + w.Prefix + " becomes " + strconv.Quote(w.With)
}

// String says what is edited: "request: set x-a: 1; response: remove x-b".
func (h *Headers) String() string {
	var parts []string
	if !h.Request.Empty() {
		parts = append(parts, "request: "+h.Request.String())
	}
	if !h.Response.Empty() {
		parts = append(parts, "response: "+h.Response.String())
	}
	return strings.Join(parts, "; ")
}

// String says what is edited, in the order in which it is done. Values that may
// be secret are left out.
func (e *HeaderEdits) String() string {
	var parts []string
	for _, n := range e.Remove {
		parts = append(parts, "remove "+n)
	}
	for _, v := range e.Set {
		parts = append(parts, "set "+v.String())
	}
	for _, v := range e.Add {
		parts = append(parts, "add "+v.String())
	}
	return strings.Join(parts, ", ")
}

// String is "name: value"; the value of a header that holds credentials is left out.
func (v HeaderValue) String() string {
	switch v.Name {
	case "authorization", "proxy-authorization", "cookie", "set-cookie":
		return v.Name
	}
	return v.Name + ": " + v.Value.String()
}

func (f *HeaderRoute) String() string { return f.Headers.String() }

func (f *Fault) String() string {
	var parts []string
	if f.DelayShare > 0 {
		parts = append(parts, "hold back "+percent(f.DelayShare)+" for "+f.Delay.String())
	}
	if f.AbortShare > 0 {
		status := strconv.Itoa(f.Abort)
		if f.IsGRPC {
			status = "grpc-status " + strconv.Itoa(f.AbortGRPC)
		}
		parts = append(parts, "abort "+percent(f.AbortShare)+" with "+status)
	}
	return "fault: " + strings.Join(parts, ", ")
}

func (c *CORS) String() string {
	var origins []string
	for _, o := range c.Origins {
		origins = append(origins, o.String())
	}
	return "CORS for origin " + strings.Join(origins, " or ")
}

func (m *Mirror) String() string { return "mirror " + percent(m.Share) + " to " + m.Backend.Key }

// percent is a share from 0 to 1 as "12.5%".
func percent(share float64) string { return fmt.Sprintf("%.4g%%", share*100) }
