package plan

import "github.com/doorward/doorward/internal/match"

// AnswerAt makes hop i (the client's first is 0) answer with p, in place of what
// was decided at it or behind it. What is found out only while an outcome is
// carried out ends so: an upstream that fails, a limit that runs out, a body
// that grows too long. The hops before it edit the answer as one of theirs.
func (o *Outcome) AnswerAt(i int, r *match.Request, p Reply) {
	o.n = i + 1
	o.Kind, o.Backend, o.Reason = ToRespond, nil, p.Reason
	o.Reply = o.hops[i].Listener.render(r, p)
}

// Refuse makes o the answer p of listener l to a request that no rule is read
// for, such as CONNECT.
func (o *Outcome) Refuse(l *Listener, r *match.Request, p Reply) {
	*o = Outcome{MaxBody: -1, Mirrors: o.Mirrors[:0], n: 1}
	o.hops[0] = Hop{Listener: l, Secure: r.Secure, replied: true}
	o.AnswerAt(0, r, p)
}
