package check

import (
	"fmt"
	"strconv"

	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/doorward/doorward/internal/object"
)

// streamRule is a rule for TCP or TLS connections: its conditions in words that are
// equal for equal ones.
type streamRule struct {
	field   string
	matches []string
}

// streams calls yield for the rules of each VirtualService for TCP, and for TLS.
func (p *Pass) streams(yield func(v object.Item[*networkingv1.VirtualService], rules []streamRule)) {
	for _, v := range p.Set.VirtualServices.All() {
		var tcp, tls []streamRule
		for i, r := range v.Object.Spec.Tcp {
			tcp = append(tcp, streamRule{"spec.tcp[" + strconv.Itoa(i) + "]", inWords(r.Match)})
		}
		for i, r := range v.Object.Spec.Tls {
			tls = append(tls, streamRule{"spec.tls[" + strconv.Itoa(i) + "]", inWords(r.Match)})
		}
		yield(v, tcp)
		yield(v, tls)
	}
}

func inWords[M fmt.Stringer](matches []M) []string {
	var all []string
	for _, m := range matches {
		all = append(all, m.String())
	}
	return all
}

// streamUnreachable: a rule for connections behind one without conditions, or all of
// whose conditions earlier rules have.
func (p *Pass) streamUnreachable() {
	p.streams(func(v object.Item[*networkingv1.VirtualService], rules []streamRule) {
		open, seen := "", map[string]bool{}
		for _, r := range rules {
			fresh := len(r.matches) == 0
			for _, m := range r.matches {
				fresh, seen[m] = fresh || !seen[m], true
			}
			switch {
			case open != "":
				p.report(fieldOf(v, r.field), "no connection reaches the rule: "+open+" stands before it and takes all of them", "move it before "+open)
			case !fresh:
				p.report(fieldOf(v, r.field), "no connection reaches the rule: earlier rules have all its conditions", "delete it, or change its conditions")
			}
			if len(r.matches) == 0 && open == "" {
				open = r.field
			}
		}
	})
}

// streamRepeated: one condition for connections that repeats an earlier one.
func (p *Pass) streamRepeated() {
	p.streams(func(v object.Item[*networkingv1.VirtualService], rules []streamRule) {
		seen := map[string]string{}
		for _, r := range rules {
			for j, m := range r.matches {
				field := r.field + ".match[" + strconv.Itoa(j) + "]"
				if before := seen[m]; before != "" {
					p.report(fieldOf(v, field), "the condition is the same as "+before+", which takes its connections", "remove one of the two")
					continue
				}
				seen[m] = field
			}
		}
	})
}
