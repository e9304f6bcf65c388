package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// String is the outcome as a scenario writes it.
func (o *Outcome) String() string {
	if o.Backend != "" {
		return o.Backend + " " + o.Method + " " + o.Target
	}
	if o.Closed {
		return "closed"
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

// Difference is an expectation that an outcome does not fulfil.
type Difference struct {
	Line int    `json:"line"` // of the expectation
	Of   string `json:"of"`   // what differs: "status", "header x-a"
	Got  string `json:"got"`
	Want string `json:"want"`
}

// String is one line.
func (d Difference) String() string {
	return fmt.Sprintf("line %d: %s: got %s, want %s", d.Line, d.Of, d.Got, d.Want)
}

// Compare tells everything that is not as the request wants it.
func (r *Request) Compare(o *Outcome) []Difference {
	var bad []Difference
	if got := o.String(); r.Want != "" && got != r.Want {
		bad = append(bad, Difference{r.WantLine, "outcome", got, r.Want})
	}
	for i := range r.Checks {
		if d, differs := r.Checks[i].compare(o); differs {
			bad = append(bad, d)
		}
	}
	return bad
}

// Nothing stands for what is not there.
const Nothing = "none"

// compare compares one thing. What an outcome does not know is as it should be.
func (c *Check) compare(o *Outcome) (d Difference, differs bool) {
	got, is := c.of(o)
	if !is {
		got = Nothing
	}
	d = Difference{c.Line, c.String(), got, c.Value}
	switch c.Kind {
	case "delay":
		want, err := time.ParseDuration(c.Value)
		return d, err != nil || o.Delay < want
	case "because":
		return d, o.Reason != "" && !strings.Contains(o.Reason, c.Value)
	case "decidedBy":
		return d, o.By != nil && !decides(o.By, c.Value)
	}
	if c.No {
		d.Want = Nothing
	}
	return d, is == c.No || is && got != c.Value
}

// String names the thing that the check is about.
func (c *Check) String() string {
	switch c.Kind {
	case "got":
		return "header " + c.Name
	case "answer":
		return "answer's header " + c.Name
	}
	return c.Kind
}

// status is that of the answer, or that there is none.
func (o *Outcome) status() string {
	if o.Closed {
		return "closed"
	}
	return strconv.Itoa(o.Status)
}

// of is what the outcome has of the thing, and whether it has it.
func (c *Check) of(o *Outcome) (string, bool) {
	switch c.Kind {
	case "status":
		return o.status(), true
	case "backend":
		return o.Backend, o.Backend != ""
	case "method":
		return o.Method, o.Method != ""
	case "path":
		return o.Target, o.Target != ""
	case "host":
		return o.Host, o.Host != ""
	case "delay":
		return o.Delay.String(), true
	case "because":
		return o.Reason, o.Reason != ""
	case "decidedBy":
		if o.By == nil || o.By.Ref.Kind == "" {
			return "", false
		}
		return o.By.String(), true
	case "answer":
		return o.Answer.Joined(c.Name, ",")
	}
	if c.Name == "host" {
		return o.Host, o.Host != ""
	}
	return o.Got.Joined(c.Name, ",")
}

// decides tells whether want, KIND NAMESPACE/NAME and if need be the field, names the
// rule or what it is a part of.
func decides(by *plan.Origin, want string) bool {
	if by.Ref.Kind == "" {
		return want == Nothing
	}
	object, field, has := want, "", false
	if words := strings.SplitN(want, " ", 3); len(words) == 3 {
		object, field, has = words[0]+" "+words[1], words[2], true
	}
	if by.Ref.String() != object {
		return false
	}
	rest, ok := strings.CutPrefix(by.Field, field)
	return !has || ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
