package explain

import (
	"strings"

	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// curl is the command that sends the request, for a shell. What only the caller has is
// left for them to fill in.
func (q *Question) curl(l *plan.Listener, sent *match.Request, who *caller.Caller, world plan.World) string {
	words := []string{"curl", "-i", "--path-as-is", "-g"}
	switch sent.Method {
	case "GET":
	case "HEAD":
		words = append(words, "-I")
	default:
		words = append(words, "-X", quote(sent.Method))
	}
	if l.Dialect != plan.NGINX { // inside of the cluster, whatever the URL's host means there
		service, port, _ := strings.Cut(l.Key, ":")
		namespace, name, _ := strings.Cut(service, "/")
		words = append(words, "--connect-to", quote("::"+name+"."+namespace+".svc.cluster.local:"+port))
	}
	// A header that curl would send by itself is none of the question's.
	for _, name := range []string{"user-agent", "accept"} {
		if !sent.Header.Has(name) {
			words = append(words, "-H", quote(name+":"))
		}
	}
	url, _, _ := strings.Cut(q.URL, "#")
	if scheme, rest, _ := strings.Cut(url, "://"); !strings.HasPrefix(rest, sent.Host) {
		words = append(words, "-H", quote("host: "+sent.Host))
	} else {
		url = scheme + "://" + sent.Host + sent.Target // a token may stand in its query
	}
	for _, f := range sent.Header {
		line := quote(f.Name + ": " + f.Value)
		if f.Value == "" {
			line = quote(f.Name + ";")
		}
		words = append(words, "-H", line)
	}
	var lines []string
	command := strings.Join(append(words, quote(url)), " ")
	if shown := caller.Shown(world); shown != "" {
		command = strings.ReplaceAll(command, shown, `'"$TOKEN"'`)
		lines = append(lines, "# TOKEN: that of "+who.String())
	} else if caller.Session(world) {
		lines = append(lines, "# with the session cookie of "+who.String()+", as a browser has it after the login: -H 'cookie: NAME=VALUE'")
	}
	return strings.Join(append(lines, command), "\n")
}

// quote makes a text one word of a POSIX shell.
func quote(s string) string {
	plain := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./:=@,+%", r))
	}) < 0
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
