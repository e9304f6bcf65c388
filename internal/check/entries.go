package check

import (
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/witness"
)

// entry is a way from outside to a Service.
type entry struct {
	on       address
	route    *plan.Route // the last, which leads to the Service
	service  object.Ref
	guarded  bool     // some hop asks for a login or a token
	open     bool     // and yet, or therefore, anybody comes through
	identity []string // the headers that members' requests get
}

// entries are the ways from the edge to Services, one for each route.
func (p *Pass) entries() []*entry {
	if p.came != nil {
		return p.came
	}
	p.came = []*entry{}
	edge := p.Plan.Listener(plan.Edge)
	if edge == nil {
		return p.came
	}
	p.onRoutes(edge, func(h *plan.Host, r *plan.Route) {
		f, ok := r.Action.(*plan.Forward)
		if !ok || len(f.To) == 0 || f.To[0].Backend.Next != nil {
			return
		}
		if path, ok := witness.Sample(r); ok {
			for _, secure := range []bool{false, true} {
				a := address{listener: edge, secure: secure, host: witness.Concrete(h.Name, ""), path: path}
				if p.enter(a, r) {
					return
				}
			}
		}
	})
	p.front(func(l *plan.Listener, _ guarding) {
		if len(p.edgeWays()[l]) == 0 {
			return
		}
		p.onRoutes(l, func(h *plan.Host, r *plan.Route) {
			if a, ok := p.way(l, h, r); ok {
				p.enter(a, r)
			}
		})
	})
	return p.came
}

// enter notes the entry at an address, if members come to route r there.
func (p *Pass) enter(a address, r *plan.Route) bool {
	f, ok := r.Action.(*plan.Forward)
	v := p.visit(a, visitor{member: true})
	if !ok || len(f.To) == 0 || !v.took(r) {
		return false
	}
	e := &entry{on: a, route: r, service: f.To[0].Backend.Service}
	for _, h := range v.Out.Hops() {
		g := p.guardsOf(h.Listener)
		e.guarded = e.guarded || g.required
		e.identity = append(e.identity, g.header...)
	}
	e.open = p.visit(a, visitor{}).took(r)
	if e.service.Name != "" {
		p.came = append(p.came, e)
	}
	return true
}

// protected are the ways to each Service that need a login or token.
func (p *Pass) protected() map[object.Ref][]*entry {
	all := map[object.Ref][]*entry{}
	for _, e := range p.entries() {
		if e.guarded && !e.open {
			all[e.service] = append(all[e.service], e)
		}
	}
	return all
}

// authBypassSecondEntry: what one way asks a login for, another gives to everybody.
func authBypassSecondEntry(p *Pass) {
	protected := p.protected()
	for _, e := range p.entries() {
		if by := protected[e.service]; !e.guarded && e.open && len(by) > 0 {
			p.show(problem.Warning, rule(e.route), e.on, e.service.String()+" needs a login at "+by[0].on.String()+", and none at "+e.on.String(),
				"remove this entry, or protect it too")
		}
	}
}

// identityHeaderForgeable: an application that believes the headers of its
// protected entry gets a client's own ones by another.
func identityHeaderForgeable(p *Pass) {
	protected := p.protected()
	for _, e := range p.entries() {
		if e.guarded || !e.open {
			continue
		}
		var forged []string
		by := protected[e.service]
		for _, safe := range by {
			for _, name := range safe.identity {
				if !slices.Contains(forged, name) && p.passes(e, name) {
					forged = append(forged, name)
				}
			}
		}
		if len(forged) > 0 {
			list := strings.Join(forged, ", ")
			p.show(problem.Warning, rule(e.route), e.on, "at "+e.on.String()+" clients can set "+list+" themselves, by which "+e.service.String()+" knows its users at "+by[0].on.String(),
				"remove them at this entry: headers: {request: {remove: ["+list+"]}}")
		}
	}
}

// passes tells whether a client's own header comes through an entry.
func (p *Pass) passes(e *entry, name string) bool {
	v := p.visit(e.on.with(name, "forged"), visitor{})
	value, _ := v.Req.Header.Get(name)
	return v.took(e.route) && value == "forged"
}

// anonymousExposure lists what anybody can reach, where something asks for logins.
func anonymousExposure(p *Pass) {
	some := false
	open := map[object.Ref][]*entry{}
	var order []object.Ref
	for _, e := range p.entries() {
		some = some || e.guarded
		if !e.open {
			continue
		}
		ref := e.route.Origin.Ref
		if open[ref] == nil {
			order = append(order, ref)
		}
		open[ref] = append(open[ref], e)
	}
	if !some {
		return
	}
	const most = 5
	for _, ref := range order {
		list := open[ref]
		var urls []string
		for _, e := range list[:min(most, len(list))] {
			urls = append(urls, e.on.String())
		}
		text := strings.Join(urls, ", ")
		if more := len(list) - most; more > 0 {
			text += " and " + strconv.Itoa(more) + " more"
		}
		p.show(problem.Info, at(ref, list[0].route.Origin.Origin, ""), list[0].on, "anybody can reach "+text, "nothing is to be done if that is meant")
	}
}
