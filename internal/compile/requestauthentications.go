package compile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	securityv1beta1 "istio.io/api/security/v1beta1"
	typev1beta1 "istio.io/api/type/v1beta1"
	securityv1 "istio.io/client-go/pkg/apis/security/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// ClaimLists is the annotation of a RequestAuthentication that says how its
// rules write claims that are lists into headers: "json", as Istio does, in
// base64; or "comma", the members joined by commas.
const ClaimLists = "doorward.dev/claim-lists"

// authentication is a RequestAuthentication with its rules.
type authentication struct {
	item  object.Item[*securityv1.RequestAuthentication]
	rules []*plan.TokenRule
}

// readAuthentications reads the RequestAuthentications, those of the root
// namespace first, then the oldest first.
func (c *compiler) readAuthentications() {
	for _, item := range c.set.RequestAuthentications.All() {
		if len(item.Unread) > 0 {
			continue // see closeUnread
		}
		a := &authentication{item: item}
		spec := &item.Object.Spec
		if spec.Selector != nil && len(targetsOf(spec)) > 0 {
			c.onAuthentication(problem.Schema, a, "spec.selector", "selector and targetRefs exclude each other; targetRefs are taken", "remove one of them")
		}
		commas := false
		switch v := item.Object.Annotations[ClaimLists]; v {
		case "", "json":
		case "comma":
			commas = true
		default:
			c.onAuthentication(problem.Schema, a, "metadata.annotations", ClaimLists+" is "+strconv.Quote(v)+"; lists are written as base64 of JSON", `write "json" or "comma"`)
		}
		for i, r := range spec.JwtRules {
			if r == nil {
				continue
			}
			t := c.tokenRule(a, r, "spec.jwtRules["+strconv.Itoa(i)+"]")
			t.CommaLists = commas
			a.rules = append(a.rules, t)
		}
		c.authentications = append(c.authentications, a)
	}
	slices.SortStableFunc(c.authentications, func(a, b *authentication) int {
		return cmp.Or(c.rootFirst(a.item.Ref, b.item.Ref), older(a.item.Object, b.item.Object))
	})
}

// targetsOf are the targetRefs, with the single one of old.
func targetsOf(spec *securityv1beta1.RequestAuthentication) []*typev1beta1.PolicyTargetReference {
	if spec.TargetRef == nil {
		return spec.TargetRefs
	}
	return append([]*typev1beta1.PolicyTargetReference{spec.TargetRef}, spec.TargetRefs...)
}

func (c *compiler) onAuthentication(code string, a *authentication, field, message, remedy string) {
	c.problem(code, a.item.Ref, a.item.Origin, field, message, remedy)
}

// tokens is the guard of a workload's RequestAuthentications, whose rules add up.
// They are tried in the order of their issuers' names (Istio, newPolicyApplier).
func (c *compiler) tokens(w *secured) []plan.Guard {
	var rules []*plan.TokenRule
	for _, a := range c.authentications {
		spec := &a.item.Object.Spec
		if c.selects(a.item.Ref.Namespace, spec.Selector, targetsOf(spec), w) {
			rules = append(rules, a.rules...)
		}
	}
	if len(rules) == 0 {
		return nil
	}
	slices.SortStableFunc(rules, func(a, b *plan.TokenRule) int { return cmp.Compare(a.Issuer, b.Issuer) })
	return []plan.Guard{plan.NewTokens(rules)}
}

// tokenRule compiles a rule. One that a cluster would refuse accepts no token in
// the places that it names, but does not open them either.
func (c *compiler) tokenRule(a *authentication, r *securityv1beta1.JWTRule, field string) *plan.TokenRule {
	t := &plan.TokenRule{
		Origin: plan.Origin{Ref: a.item.Ref, Origin: a.item.Origin, Field: field},
		Issuer: r.Issuer, Audiences: r.Audiences, FromParams: r.FromParams, FromCookies: r.FromCookies,
		Forward: r.ForwardOriginalToken, SpaceDelimited: r.SpaceDelimitedClaims,
	}
	for _, h := range r.FromHeaders {
		t.FromHeaders = append(t.FromHeaders, plan.TokenHeader{Name: strings.ToLower(h.GetName()), Prefix: h.GetPrefix()})
	}
	if name := r.OutputPayloadToHeader; name != "" && c.outputHeader(a, field+".outputPayloadToHeader", name) {
		t.PayloadTo = strings.ToLower(name)
	}
	for i, o := range r.OutputClaimToHeaders {
		at := field + ".outputClaimToHeaders[" + strconv.Itoa(i) + "]"
		if o.GetClaim() == "" {
			c.onAuthentication(problem.Schema, a, at+".claim", "no claim is named; the header stays empty", "name a claim, as in claim: email")
		}
		if c.outputHeader(a, at+".header", o.GetHeader()) {
			t.ClaimsTo = append(t.ClaimsTo, plan.ClaimHeader{Name: strings.ToLower(o.GetHeader()), Claim: strings.Split(o.GetClaim(), ".")})
		}
	}
	t.Keys = c.keySource(a, r, field)
	return t
}

// outputHeader tells whether a rule may fill a header.
func (c *compiler) outputHeader(a *authentication, field, name string) bool {
	valid := fillable(name)
	if !valid {
		c.onAuthentication(problem.Schema, a, field, strconv.Quote(name)+" is no header that a token can fill; nothing is written to it", "name a header of letters, digits and hyphens, as in x-user")
	}
	return valid
}

// fillable tells whether a header is one that guards may read and fill. What frames
// a message is nobody's to fill.
func fillable(name string) bool {
	switch strings.ToLower(name) {
	case "", "connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade":
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
	}) < 0
}

// keySource is where the keys of a rule come from.
func (c *compiler) keySource(a *authentication, r *securityv1beta1.JWTRule, field string) plan.KeySource {
	k := plan.KeySource{Inline: r.Jwks, URI: r.JwksUri, Timeout: r.Timeout.AsDuration()}
	broken := func(field, why, remedy string) {
		if k.Broken == "" {
			k.Broken = why
		}
		c.onAuthentication(problem.Schema, a, field, why+"; the rule accepts no token", remedy)
	}
	if r.Issuer == "" && r.JwksUri == "" {
		broken(field+".issuer", "the rule has no issuer", "write issuer: the iss of its tokens")
	}
	if r.Jwks != "" && r.JwksUri != "" {
		broken(field+".jwks", "jwks and jwksUri exclude each other", "remove one of them")
	}
	if r.Jwks != "" && !looksLikeKeys(r.Jwks) {
		broken(field+".jwks", "jwks is no JSON Web Key Set", `write {"keys": [...]} in JSON`)
	}
	if r.JwksUri != "" {
		if u, err := url.Parse(r.JwksUri); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			broken(field+".jwksUri", strconv.Quote(r.JwksUri)+" is no http or https URL", "write a URL, as in https://issuer.example/keys")
		}
	} else if r.Jwks == "" && r.Issuer != "" && !strings.HasPrefix(r.Issuer, "http://") && !strings.HasPrefix(r.Issuer, "https://") {
		broken(field+".issuer", "there is neither jwks nor jwksUri, and no keys can be discovered at "+strconv.Quote(r.Issuer), "write jwksUri")
	}
	for _, list := range []struct {
		name   string
		values []string
	}{{"audiences", r.Audiences}, {"fromParams", r.FromParams}, {"fromCookies", r.FromCookies}, {"spaceDelimitedClaims", r.SpaceDelimitedClaims}} {
		if i := slices.Index(list.values, ""); i >= 0 {
			broken(field+"."+list.name+"["+strconv.Itoa(i)+"]", "an entry of "+list.name+" is empty", "remove it")
		}
	}
	for i, h := range r.FromHeaders {
		if h.GetName() == "" {
			broken(field+".fromHeaders["+strconv.Itoa(i)+"].name", "a header without name", "write name: authorization")
		}
	}
	digest := sha256.Sum256([]byte(r.Issuer + "\x00" + k.URI + "\x00" + k.Inline + "\x00" + k.Broken + "\x00" + strings.Join(r.SpaceDelimitedClaims, "\x00")))
	k.Key = hex.EncodeToString(digest[:])
	return k
}

// looksLikeKeys tells whether a text has the form of a key set. What is in the
// keys is found out by those who use them.
func looksLikeKeys(text string) bool {
	var set struct {
		Keys []struct {
			Kty string `json:"kty"`
		} `json:"keys"`
	}
	var certificates map[string]string
	if json.Unmarshal([]byte(text), &set) == nil {
		for _, k := range set.Keys {
			if k.Kty != "" {
				return true
			}
		}
	}
	return json.Unmarshal([]byte(text), &certificates) == nil && len(certificates) > 0
}

// findKeyHosts finds the Services that keys are fetched from, when everything
// else is compiled.
func (c *compiler) findKeyHosts() {
	var services map[string][]plan.Endpoint
	for _, a := range c.authentications {
		for _, r := range a.rules {
			if r.Keys.Broken != "" || r.Keys.Inline != "" {
				continue
			}
			if r.Keys.URI == "" {
				if services == nil {
					services = c.serviceEndpoints()
				}
				r.Keys.Services = services
			}
			at, field := r.Keys.URI, ".jwksUri"
			if at == "" {
				at, field = r.Issuer, ".issuer"
			}
			u, err := url.Parse(at)
			if err != nil {
				continue
			}
			r.Keys.Backend = c.keyHost(u, a, r.Origin.Field+field)
		}
	}
}

// serviceEndpoints are those of all Services but gateways', by HOST:PORT.
func (c *compiler) serviceEndpoints() map[string][]plan.Endpoint {
	all := map[string][]plan.Endpoint{}
	for _, item := range c.set.Services.All() {
		s := c.service(item.Ref.Namespace, item.Ref.Name)
		for i := range item.Object.Spec.Ports {
			p := &item.Object.Spec.Ports[i]
			if eps, dns := c.endpoints(s, p, nil); !s.gateway && !dns && len(eps) > 0 {
				all[s.host+":"+strconv.Itoa(int(p.Port))] = eps
			}
		}
	}
	return all
}

// keyHost is the backend of a URL whose host is a Service's; nil for other hosts.
func (c *compiler) keyHost(u *url.URL, a *authentication, field string) *plan.Backend {
	b, missing := c.serviceOfURL(u)
	if missing != "" {
		severity := problem.Error
		if parts := strings.SplitN(u.Hostname(), ".", 3); len(parts) > 1 && len(c.set.Services.In(parts[1])) == 0 {
			severity = problem.Info // the Services of that namespace are not among the files
		}
		c.problemAs(severity, problem.JWKSUnreachable, a.item.Ref, a.item.Origin, field, "keys cannot be fetched at "+u.Host+": "+missing, "correct the host and port, or write jwks")
	}
	return b
}

// serviceOfURL is the backend of a URL whose host is a Service's, and why it cannot be
// reached; nil for other hosts.
func (c *compiler) serviceOfURL(u *url.URL) (b *plan.Backend, missing string) {
	host := c.serviceHostName(strings.ToLower(u.Hostname()))
	if host == "" {
		return nil, ""
	}
	port, _ := strconv.ParseUint(u.Port(), 10, 16)
	if port == 0 {
		port = map[string]uint64{"http": 80, "https": 443}[u.Scheme]
	}
	b = c.resolve(destinationKey{host: host, port: uint32(port), viewer: c.mesh.rootNamespace}).backend
	if b.Next != nil {
		b = &plan.Backend{Key: b.Key, Missing: "it is behind a gateway of this process"}
	}
	return b, b.Missing
}

// serviceHostName is the full name of a Service that a host stands for as the
// control plane resolves it: NAME.NAMESPACE.svc[.cluster.local], or shorter where
// there is such a Service; "" for hosts outside.
func (c *compiler) serviceHostName(host string) string {
	if strings.HasSuffix(host, "."+clusterDomain) {
		return host
	}
	if local, ok := strings.CutSuffix(host, ".svc"); ok {
		return local + "." + clusterDomain
	}
	svc, namespace, ok := strings.Cut(host, ".")
	if !ok {
		namespace = c.mesh.rootNamespace
	}
	if c.service(namespace, svc) == nil {
		return ""
	}
	return svc + "." + namespace + "." + clusterDomain
}
