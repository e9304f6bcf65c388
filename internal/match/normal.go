package match

import (
	"bytes"
	"strings"
)

// Form is how a hop normalises the path of a request before anything reads it.
type Form uint8

const (
	// FormNone keeps the path as it came (MeshConfig pathNormalization NONE).
	FormNone Form = iota
	// FormBase is Istio's default (BASE): "." and ".." segments resolved, also
	// written %2e; backslash becomes slash; escaped unreserved characters are
	// decoded; all else stays.
	FormBase
	// FormMergeSlashes is BASE, then runs of slashes become one (MERGE_SLASHES).
	FormMergeSlashes
	// FormDecodeSlashes decodes %2F and %5C first (DECODE_AND_MERGE_SLASHES).
	FormDecodeSlashes
	// FormNGINX is what NGINX matches locations against: decoded once, slashes
	// merged, dot segments resolved. It is for matching only: the target that
	// goes on stays as it came.
	FormNGINX
)

// Normalise sets Path and Query from Target. Under Istio's forms the target
// itself becomes the normal form, as Envoy forwards it. Nothing after a "#" is
// read: an Istio gateway drops it, NGINX passes it on. It reports false where
// the real layer answers 400: a path that leaves the root (NGINX), an invalid
// escape (NGINX), a NUL, a target that does not begin with "/".
func (r *Request) Normalise(f Form) bool {
	target := r.Target
	if i := strings.IndexByte(target, '#'); i >= 0 {
		target = target[:i]
		if f != FormNGINX {
			r.Target = target
		}
	}
	r.Path, r.Query, r.HasQuery = SplitTarget(target)
	if r.Path == "" || r.Path[0] != '/' {
		return false
	}
	if f == FormNone || plain(r.Path) {
		return true
	}
	if f == FormNGINX {
		var ok bool
		r.Path, ok = nginxPath(r.Path)
		return ok
	}
	path, ok := envoyPath(r.Path, f)
	if ok && path != r.Path {
		r.SetPath(path)
	}
	return ok
}

// plain tells whether no form changes the path: the common case, kept cheap.
func plain(p string) bool {
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '%' || c == '\\' || mustEscape(c):
			return false
		case c == '/' && i+1 < len(p) && (p[i+1] == '/' || p[i+1] == '.'):
			return false
		}
	}
	return true
}

// nginxPath decodes p once, merges slashes and resolves dot segments.
func nginxPath(p string) (string, bool) {
	decoded := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c == '%' {
			v, ok := unhex(p, i)
			if !ok || v == 0 {
				return "", false
			}
			c, i = v, i+2
		}
		decoded = append(decoded, c)
	}
	merged := mergeSlashes(decoded)
	out, ok := resolveDots(merged)
	return string(out), ok
}

// envoyPath is the path canonicalisation of an Istio gateway.
func envoyPath(p string, f Form) (string, bool) {
	if f == FormDecodeSlashes {
		p = decodeSlashes(p)
	}
	b := make([]byte, 0, len(p)+8)
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case c == '\\':
			b = append(b, '/')
		case c == '%':
			v, ok := unhex(p, i)
			switch {
			case ok && v == 0:
				return "", false
			case ok && unreserved(v):
				b, i = append(b, v), i+2
			case ok:
				b, i = append(b, p[i:i+3]...), i+2
			default:
				b = append(b, c)
			}
		case c == 0:
			return "", false
		case mustEscape(c):
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		default:
			b = append(b, c)
		}
	}
	out, _ := resolveDots(b)
	if f >= FormMergeSlashes {
		out = mergeSlashes(out)
	}
	return string(out), true
}

// resolveDots resolves "." and ".." segments; ".." at the root stays there and
// makes ok false. Empty segments are segments: /a//../b is /a/b.
func resolveDots(p []byte) (out []byte, ok bool) {
	out, ok = make([]byte, 0, len(p)), true
	for len(p) > 0 {
		end := bytes.IndexByte(p[1:], '/') + 1
		if end == 0 {
			end = len(p)
		}
		seg := p[:end]
		p = p[end:]
		switch string(seg) {
		case "/.":
		case "/..":
			cut := bytes.LastIndexByte(out, '/')
			ok = ok && cut >= 0
			out = out[:max(cut, 0)]
		default:
			out = append(out, seg...)
			continue
		}
		if len(p) == 0 {
			out = append(out, '/')
		}
	}
	if len(out) == 0 {
		out = append(out, '/')
	}
	return out, ok
}

// mergeSlashes makes one slash of many, in place.
func mergeSlashes(p []byte) []byte {
	out := p[:0]
	for _, c := range p {
		if c == '/' && len(out) > 0 && out[len(out)-1] == '/' {
			continue
		}
		out = append(out, c)
	}
	return out
}

func decodeSlashes(p string) string {
	if !strings.Contains(p, "%") {
		return p
	}
	return strings.NewReplacer("%2F", "/", "%2f", "/", "%5C", "/", "%5c", "/").Replace(p)
}

// mustEscape tells what Envoy's canonicaliser never leaves bare in a path.
func mustEscape(c byte) bool {
	if c <= 0x20 || c > 0x7e {
		return true
	}
	switch c {
	case '"', '<', '>', '^', '`', '{', '|', '}':
		return true
	}
	return false
}

// unreserved tells what it never leaves escaped. A "." that is escaped is bare
// too (RFC 3986 section 2.3 has the same set).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}

const upperHex = "0123456789ABCDEF"

// unhex decodes the escape at p[i:i+3].
func unhex(p string, i int) (byte, bool) {
	if i+2 >= len(p) {
		return 0, false
	}
	hi, lo := hexDigit(p[i+1]), hexDigit(p[i+2])
	return hi<<4 | lo, hi < 16 && lo < 16
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// EscapeNGINX writes a path as NGINX puts it into a Location, or into a request
// after a rewrite (ngx_escape_uri).
func EscapeNGINX(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if c := path[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"#%<>?\\^`{|}", c) >= 0 {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
