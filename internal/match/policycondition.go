package match

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Fact is what a condition of an AuthorizationPolicy looks at.
type Fact uint8

const (
	FactPrincipal        Fact = iota // Request.Source
	FactNamespace                    // of Source
	FactServiceAccount               // of Source
	FactTrustDomain                  // of Source
	FactSourceIP                     // Request.Peer
	FactRemoteIP                     // Request.Remote
	FactRequestPrincipal             // of the token, ISSUER/SUBJECT
	FactClaim                        // of the token; audiences and presenter are claims, too
	FactHeader
	FactHost // the whole Host header, its port included
	FactMethod
	FactPath // the hop's normal form, without query
	FactPort // Request.LocalPort
	FactSNI
	FactDestinationIP // Request.Local
	FactMetadata      // of a filter for a TCP protocol, which has none of a request
)

// PolicyCondition is one condition of a rule: one of Values must hold, if there
// are any, and none of NotValues. What is absent fulfils no value, so NotValues
// hold (Istio, authz/model).
type PolicyCondition struct {
	Fact Fact
	// Name is of the header, in lower case, or the way to the claim.
	Name              []string
	Values, NotValues []PolicyValue
	// Unknown is what a condition on FactDestinationIP says where that is not known.
	Unknown bool
}

// ErrNotCarriedOut says that a key is Istio's, but that Doorward knows no value
// for it.
var ErrNotCarriedOut = errors.New("is not carried out: nothing is known of it here")

// PolicyKey reads the key of a condition (when[].key, Istio's reference of
// AuthorizationPolicy conditions). name is as PolicyCondition.Name.
func PolicyKey(key string) (fact Fact, name []string, err error) {
	switch key {
	case "source.ip":
		return FactSourceIP, nil, nil
	case "remote.ip":
		return FactRemoteIP, nil, nil
	case "source.namespace":
		return FactNamespace, nil, nil
	case "source.principal":
		return FactPrincipal, nil, nil
	case "source.serviceAccount":
		return FactServiceAccount, nil, nil
	case "source.trustDomain":
		return FactTrustDomain, nil, nil
	case "request.auth.principal":
		return FactRequestPrincipal, nil, nil
	case "request.auth.audiences":
		return FactClaim, []string{"aud"}, nil
	case "request.auth.presenter":
		return FactClaim, []string{"azp"}, nil
	case "destination.port":
		return FactPort, nil, nil
	case "connection.sni":
		return FactSNI, nil, nil
	case "destination.ip":
		return FactDestinationIP, nil, nil
	}
	if header, ok := strings.CutPrefix(key, "request.headers"); ok && brackets(header) {
		return FactHeader, []string{strings.ToLower(header[1 : len(header)-1])}, nil
	}
	if claim, ok := strings.CutPrefix(key, "request.auth.claims"); ok && brackets(claim) {
		return FactClaim, claimPath(claim), nil
	}
	if metadata, ok := strings.CutPrefix(key, "experimental."); ok {
		return filterKey(metadata)
	}
	return 0, nil, errors.New("is no attribute of a request")
}

// filterKey reads envoy.filters.NAME[KEY], what a filter of Envoy knows. Those of TCP
// protocols (network.mysql_proxy) have a connection to themselves, and what they know is
// no part of a request: it is absent. What HTTP filters know, nobody knows here.
func filterKey(key string) (Fact, []string, error) {
	name, of, _ := strings.Cut(key, "[")
	switch {
	case !strings.HasPrefix(name, "envoy.filters.") || !brackets("["+of):
		return 0, nil, errors.New("is no attribute of a request: a filter's is written experimental.envoy.filters.NAME[KEY]")
	case !strings.HasPrefix(name, "envoy.filters.network."):
		return 0, nil, ErrNotCarriedOut
	}
	return FactMetadata, []string{key}, nil
}

// PolicyKeys are the keys that PolicyKey knows, for messages.
func PolicyKeys() []string {
	return []string{"request.headers[NAME]", "request.auth.principal", "request.auth.audiences", "request.auth.presenter", "request.auth.claims[NAME]",
		"source.ip", "remote.ip", "source.namespace", "source.principal", "source.serviceAccount", "source.trustDomain", "destination.ip", "destination.port", "connection.sni"}
}

func brackets(s string) bool { return len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' }

// claimPath splits "[a][b]"; what is no row of brackets is one name (Istio,
// extractNameInNestedBrackets).
func claimPath(s string) []string {
	var path []string
	for rest := s; rest != ""; {
		end := strings.IndexByte(rest, ']')
		if rest[0] != '[' || end < 0 || strings.IndexByte(rest[1:end], '[') >= 0 {
			return []string{s[1 : len(s)-1]}
		}
		path, rest = append(path, rest[1:end]), rest[end+1:]
	}
	return path
}

// NewPolicyCondition makes a condition on fact. namespace is the policy's, of
// which service accounts are that name none. The error tells the value that
// cannot be read.
func NewPolicyCondition(fact Fact, name, values, notValues []string, namespace string) (PolicyCondition, error) {
	c := PolicyCondition{Fact: fact, Name: name}
	for _, side := range []struct {
		from []string
		to   *[]PolicyValue
	}{{values, &c.Values}, {notValues, &c.NotValues}} {
		for _, written := range side.from {
			v, err := newPolicyValue(fact, written, namespace)
			if err != nil {
				return c, fmt.Errorf("%s: %w", strconv.Quote(written), err)
			}
			*side.to = append(*side.to, v)
		}
	}
	return c, nil
}

// Match tells whether r fulfils the condition.
func (c *PolicyCondition) Match(r *Request) bool {
	if c.Fact == FactDestinationIP && !r.Local.IsValid() {
		return c.Unknown
	}
	return (len(c.Values) == 0 || c.holds(c.Values, r)) && (len(c.NotValues) == 0 || !c.holds(c.NotValues, r))
}

// Excepts tells whether r is what the ith of NotValues leaves out.
func (c *PolicyCondition) Excepts(i int, r *Request) bool { return c.holds(c.NotValues[i:i+1], r) }

// holds tells whether one of values does.
func (c *PolicyCondition) holds(values []PolicyValue, r *Request) bool {
	switch c.Fact {
	case FactSourceIP:
		return some(values, func(v *PolicyValue) bool { return v.block.Contains(r.Peer) })
	case FactRemoteIP:
		return some(values, func(v *PolicyValue) bool { return v.block.Contains(r.Remote) })
	case FactDestinationIP:
		return some(values, func(v *PolicyValue) bool { return v.block.Contains(r.Local) })
	case FactPort:
		return some(values, func(v *PolicyValue) bool { return v.port == r.LocalPort })
	case FactPath:
		return some(values, func(v *PolicyValue) bool { return v.path(r.Path) })
	case FactRequestPrincipal:
		return r.Token.Principal() != "" && some(values, func(v *PolicyValue) bool {
			return v.issuer.Match(r.Token.Issuer, true) && v.text.Match(r.Token.Subject, true)
		})
	case FactClaim:
		return r.Token.claim(c.Name, func(text string) bool {
			return some(values, func(v *PolicyValue) bool { return v.text.Match(text, true) })
		})
	case FactPrincipal, FactNamespace, FactServiceAccount, FactTrustDomain:
		return r.Source != "" && some(values, func(v *PolicyValue) bool { return v.source(c.Fact, r.Source) })
	}
	text, present := c.text(r)
	return some(values, func(v *PolicyValue) bool { return v.text.Match(text, present) })
}

// text is the value of a fact that is plain text.
func (c *PolicyCondition) text(r *Request) (text string, present bool) {
	switch c.Fact {
	case FactHeader:
		return r.Part(c.Name[0])
	case FactHost:
		return r.Host, true
	case FactMethod:
		return r.Method, true
	case FactPath:
		return r.Path, true
	case FactSNI:
		return r.SNI, r.SNI != ""
	case FactPort:
		return decimal(r.LocalPort), true
	case FactSourceIP:
		return r.Peer.String(), true
	case FactRemoteIP:
		return r.Remote.String(), true
	case FactDestinationIP:
		return r.Local.String(), r.Local.IsValid()
	case FactMetadata:
		return "", false
	case FactRequestPrincipal:
		return r.Token.Principal(), r.Token.Principal() != ""
	case FactClaim:
		var all []string
		r.Token.claim(c.Name, func(text string) bool { all = append(all, text); return false })
		return list(all, ", ", 5), len(all) > 0
	}
	return r.Source, r.Source != ""
}

func some(values []PolicyValue, holds func(*PolicyValue) bool) bool {
	for i := range values {
		if holds(&values[i]) {
			return true
		}
	}
	return false
}

// What names the fact as conditions of policies do: request.headers[x-user].
func (c *PolicyCondition) What() string {
	switch c.Fact {
	case FactHeader:
		return "request.headers[" + c.Name[0] + "]"
	case FactClaim:
		return "request.auth.claims[" + strings.Join(c.Name, "][") + "]"
	case FactMetadata:
		return "experimental." + c.Name[0]
	}
	return [...]string{"source.principal", "source.namespace", "source.serviceAccount", "source.trustDomain", "source.ip", "remote.ip",
		"request.auth.principal", "", "", "host", "method", "path", "destination.port", "connection.sni", "destination.ip"}[c.Fact]
}

// String prints the condition: source.ip "10.0.0.0/8" but not "10.1.0.0/16".
func (c *PolicyCondition) String() string {
	s := c.What()
	if len(c.Values) > 0 {
		s += " " + written(c.Values)
		if len(c.NotValues) == 0 {
			return s
		}
		s += " but"
	}
	return s + " not " + written(c.NotValues)
}

func written(values []PolicyValue) string {
	quoted := make([]string, len(values))
	for i := range values {
		quoted[i] = strconv.Quote(values[i].Written)
	}
	return list(quoted, " or ", 5)
}

// maxTold bounds what Why tells of a value.
const maxTold = 100

// why tells why r does not fulfil the condition.
func (c *PolicyCondition) why(r *Request) string {
	got := "is absent"
	if c.Fact == FactDestinationIP {
		got = "is not known"
	}
	if text, present := c.text(r); present && c.secret() {
		got = "is there"
	} else if present {
		if len(text) > maxTold {
			text = text[:maxTold] + "..."
		}
		got = "is " + strconv.Quote(text)
	}
	if len(c.Values) > 0 && !c.holds(c.Values, r) {
		return c.What() + " " + got + ", wants " + written(c.Values)
	}
	return c.What() + " " + got + ", must not be " + written(c.NotValues)
}

// secret tells that the value must not be told: a header that holds credentials, or
// a query that may.
func (c *PolicyCondition) secret() bool {
	if c.Fact != FactHeader {
		return false
	}
	name := c.Name[0]
	return name == "cookie" || name == ":path" || name == "referer" || strings.HasSuffix(name, "authorization") ||
		strings.Contains(name, "token") || strings.Contains(name, "secret") || strings.Contains(name, "key")
}

func decimal(n int) string { return strconv.Itoa(n) }

// Have is what r has where the condition looks, as a value of a policy would name it;
// false where there is nothing. Of several claims it is the first.
func (c *PolicyCondition) Have(r *Request) (string, bool) {
	switch c.Fact {
	case FactClaim:
		var first string
		found := r.Token.claim(c.Name, func(text string) bool { first = text; return true })
		return first, found
	case FactNamespace, FactServiceAccount, FactTrustDomain:
		domain, rest, _ := strings.Cut(r.Source, "/ns/")
		namespace, account, ok := strings.Cut(rest, "/sa/")
		return map[Fact]string{FactNamespace: namespace, FactServiceAccount: namespace + "/" + account, FactTrustDomain: domain}[c.Fact], ok
	}
	return c.text(r)
}

// Key is the key of a condition in a policy's when.
func (c *PolicyCondition) Key() string {
	if c.Fact == FactClaim && len(c.Name) == 1 {
		switch c.Name[0] {
		case "aud":
			return "request.auth.audiences"
		case "azp":
			return "request.auth.presenter"
		}
	}
	return c.What()
}

// Secret tells that what a request has where the condition looks must not be told.
func (c *PolicyCondition) Secret() bool { return c.secret() }
