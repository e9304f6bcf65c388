package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// String is the outcome as a scenario writes it.
func (o *Outcome) String() string {
	if o.Backend != "" {
		return o.Backend + " " + o.Method + " " + o.Target
	}
	s := strconv.Itoa(o.Status)
	if loc, ok := o.Answer.Get("location"); ok {
		return s + " " + loc
	}
	if o.Body != "" && !strings.HasPrefix(o.Body, "<") && !strings.Contains(o.Body, "\n") {
		return s + " " + o.Body
	}
	return s
}

// Compare tells everything that is not as the request wants it, one line each.
func (r *Request) Compare(o *Outcome) []string {
	var bad []string
	if got := o.String(); got != r.Want {
		bad = append(bad, fmt.Sprintf("line %d: got -> %s, want -> %s", r.WantLine, got, r.Want))
	}
	for _, c := range r.Checks {
		if m := c.compare(o); m != "" {
			bad = append(bad, fmt.Sprintf("line %d: %s", c.Line, m))
		}
	}
	return bad
}

func (c *Check) compare(o *Outcome) string {
	switch c.Kind {
	case "delay":
		want, err := time.ParseDuration(c.Value)
		if err != nil {
			return err.Error()
		}
		if o.Delay < want {
			return fmt.Sprintf("held back for %v, want %v", o.Delay, want)
		}
		return ""
	case "because":
		if o.Reason != "" && !strings.Contains(o.Reason, c.Value) {
			return fmt.Sprintf("the reason is %q, want %q in it", o.Reason, c.Value)
		}
		return ""
	}
	fields, whose := o.Got, "the upstream"
	if c.Kind == "answer" {
		fields, whose = o.Answer, "the client"
	}
	got, ok := fields.Joined(c.Name, ",")
	if c.Kind == "got" && c.Name == "host" {
		got, ok = o.Host, o.Host != ""
	}
	switch {
	case c.No && ok:
		return fmt.Sprintf("%s gets %s: %s, want none", whose, c.Name, got)
	case !c.No && !ok:
		return fmt.Sprintf("%s gets no %s, want %q", whose, c.Name, c.Value)
	case !c.No && got != c.Value:
		return fmt.Sprintf("%s gets %s: %s, want %s", whose, c.Name, got, c.Value)
	}
	return ""
}
