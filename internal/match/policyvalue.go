package match

import (
	"errors"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// PolicyValue is a value of a PolicyCondition.
type PolicyValue struct {
	Written string // as the manifest has it
	text    Text   // of most facts; of the subject of a principal
	issuer  Text   // of a request principal
	// part is what Source must hold (namespace) or end with (service account).
	part     string
	block    netip.Prefix
	port     int
	template *pathTemplate
}

// newPolicyValue reads a value as Istio does (authz/model generator.go).
func newPolicyValue(fact Fact, s, namespace string) (PolicyValue, error) {
	v := PolicyValue{Written: s}
	if s == "" {
		return v, errors.New("an empty value matches nothing")
	}
	var err error
	switch fact {
	case FactSourceIP, FactRemoteIP, FactDestinationIP:
		v.block, err = parseBlock(s)
	case FactPort:
		v.port, err = parsePort(s)
	case FactPath:
		if isTemplate(s) {
			v.template, err = parseTemplate(s)
			break
		}
		if strings.ContainsAny(s, "{}") {
			err = errors.New(`"{" and "}" may only stand in {*} and {**}`)
		}
		v.text = wildcard(s)
	case FactRequestPrincipal:
		v.issuer, v.text = principal(s)
	case FactNamespace:
		v.part, v.text, err = namespaceText(s)
	case FactServiceAccount:
		v.part, err = accountPart(s, namespace)
	case FactTrustDomain:
		if strings.Contains(s, "/") || strings.Count(s, "*") > 1 || strings.Index(s, "*") > 0 && !strings.HasSuffix(s, "*") {
			err = errors.New(`a trust domain has no "/", and at most one "*", at its beginning or end`)
		}
		v.text = wildcard(s)
	case FactHost:
		v.text = wildcard(s)
		v.text.IgnoreCase = true
		orPresent(&v.text)
	case FactHeader, FactMethod:
		v.text = wildcard(s)
		orPresent(&v.text)
	default:
		v.text = wildcard(s)
	}
	return v, err
}

// wildcard reads "a", "a*", "*a" or "*" (Istio, StringMatcher): a star is only
// special as the first letter or, if it is not that, as the last.
func wildcard(s string) Text {
	if s == "*" {
		return Text{Op: NotEmpty}
	}
	if rest, ok := strings.CutPrefix(s, "*"); ok {
		return Text{Op: Suffix, Value: rest}
	}
	if rest, ok := strings.CutSuffix(s, "*"); ok {
		return Text{Op: Prefix, Value: rest}
	}
	return Text{Op: Exact, Value: s}
}

// orPresent makes "*" of a header mean that it is there, if only empty (Istio,
// HeaderMatcher).
func orPresent(t *Text) {
	if t.Op == NotEmpty {
		t.Op = Present
	}
}

// principal reads ISSUER/SUBJECT, split at the last slash as an issuer is mostly
// a URL.
func principal(s string) (issuer, subject Text) {
	anyone := Text{Op: NotEmpty}
	cut := strings.LastIndexByte(s, '/')
	iss, sub := s, ""
	if cut >= 0 {
		iss, sub = s[:cut], s[cut+1:]
	}
	switch {
	case s == "*":
		return anyone, anyone
	case s[0] == '*' && cut < 0:
		return anyone, Text{Op: Suffix, Value: s[1:]}
	case s[0] == '*':
		return wildcard(iss), Text{Op: Exact, Value: sub}
	case strings.HasSuffix(s, "*") && cut < 0:
		return Text{Op: Prefix, Value: s[:len(s)-1]}, anyone
	case strings.HasSuffix(s, "*") && sub == "*":
		return Text{Op: Exact, Value: iss}, anyone
	case strings.HasSuffix(s, "*"):
		return Text{Op: Exact, Value: iss}, Text{Op: Prefix, Value: sub[:len(sub)-1]}
	}
	return Text{Op: Exact, Value: iss}, Text{Op: Exact, Value: sub}
}

// namespaceText reads a namespace; each star in it stands for any text.
func namespaceText(s string) (part string, pattern Text, err error) {
	if !strings.Contains(s, "*") {
		return "/ns/" + s + "/", pattern, nil
	}
	literals := strings.Split(s, "*")
	for i := range literals {
		literals[i] = regexp.QuoteMeta(literals[i])
	}
	pattern, err = NewRegex(".*/ns/" + strings.Join(literals, ".*") + "/.*")
	return "", pattern, err
}

func accountPart(s, namespace string) (string, error) {
	ns, account, ok := strings.Cut(s, "/")
	if !ok {
		ns, account = namespace, s
	}
	if ns == "" || account == "" || strings.ContainsAny(s, "*") || strings.Contains(account, "/") || len(s) > 320 {
		return "", errors.New("a service account is NAME or NAMESPACE/NAME, without wildcard")
	}
	return "/ns/" + ns + "/sa/" + account, nil
}

// source tells whether the value holds for an identity TRUSTDOMAIN/ns/NS/sa/SA.
func (v *PolicyValue) source(fact Fact, identity string) bool {
	switch fact {
	case FactServiceAccount:
		return len(identity) > len(v.part) && strings.HasSuffix(identity, v.part)
	case FactTrustDomain:
		domain, _, _ := strings.Cut(identity, "/")
		return v.text.Match(domain, true)
	case FactNamespace:
		if v.part == "" {
			return v.text.Match("/"+identity, true)
		}
		return strings.Contains(identity, v.part) || strings.HasPrefix(identity, v.part[1:])
	}
	return v.text.Match(identity, true)
}

func (v *PolicyValue) path(p string) bool {
	if v.template != nil {
		return v.template.match(p)
	}
	return v.text.matchText(p)
}

// lead is the text with which every path begins that fulfils the value.
func (v *PolicyValue) lead() string {
	if v.template != nil {
		return v.template.lead
	}
	lead, _ := v.text.Lead()
	return lead
}

func parseBlock(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		if p, err := netip.ParsePrefix(s); err == nil {
			return p, nil
		}
		return netip.Prefix{}, errors.New("it is no block of addresses such as 10.0.0.0/8")
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, errors.New("it is no IP address, nor a block of them such as 10.0.0.0/8")
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func parsePort(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, errors.New("it is no port from 0 to 65535")
	}
	return int(n), nil
}

// OfIssuer tells whether a value of FactRequestPrincipal can be of a token of issuer.
func (v *PolicyValue) OfIssuer(issuer string) bool { return v.issuer.Match(issuer, true) }
