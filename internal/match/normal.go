package match

import "strings"

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
// itself becomes the normal form, as Envoy forwards it. It reports false where
// the real layer answers 400: a path that leaves the root (NGINX), an invalid
// escape (NGINX), an escaped NUL.
func (r *Request) Normalise(f Form) bool {
	r.Path, r.Query, r.HasQuery = SplitTarget(r.Target)
	if r.Path == "" || r.Path[0] != '/' {
		return r.Path == "*" // OPTIONS *; it has no path to match
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
		case c == '%' || c == '\\' || c < 0x21 || c > 0x7e || c == '"' || c == '<' || c == '>' || c == '`' || c == '{' || c == '}':
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
	out := make([]byte, 0, len(decoded))
	for i := 0; i < len(decoded); {
		for i < len(decoded) && decoded[i] == '/' {
			i++
		}
		end := i
		for end < len(decoded) && decoded[end] != '/' {
			end++
		}
		last := end == len(decoded)
		switch seg := string(decoded[i:end]); seg {
		case ".":
			if last {
				out = append(out, '/')
			}
		case "..":
			cut := strings.LastIndexByte(string(out), '/')
			if cut < 0 {
				return "", false
			}
			out = out[:cut]
			if last {
				out = append(out, '/')
			}
		default:
			out = append(out, '/')
			out = append(out, seg...)
		}
		i = end
	}
	if len(out) == 0 {
		out = append(out, '/')
	}
	return string(out), true
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
		case c <= 0x20 || c > 0x7e || c == '"' || c == '<' || c == '>' || c == '`' || c == '{' || c == '}':
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		default:
			b = append(b, c)
		}
	}
	out := resolveDots(b)
	if f >= FormMergeSlashes {
		out = mergeSlashes(out)
	}
	return string(out), true
}

// resolveDots resolves "." and ".." segments; ".." at the root stays there.
// Empty segments are segments: /a//../b is /a/b.
func resolveDots(p []byte) []byte {
	out := make([]byte, 0, len(p))
	for i := 0; i < len(p); {
		end := i + 1
		for end < len(p) && p[end] != '/' {
			end++
		}
		last := end == len(p)
		switch seg := string(p[i+1 : end]); seg {
		case ".":
			if last {
				out = append(out, '/')
			}
		case "..":
			if cut := strings.LastIndexByte(string(out), '/'); cut >= 0 {
				out = out[:cut]
			}
			if last {
				out = append(out, '/')
			}
		default:
			out = append(out, p[i:end]...)
		}
		i = end
	}
	if len(out) == 0 {
		out = append(out, '/')
	}
	return out
}

func mergeSlashes(p []byte) []byte {
	out := p[:0]
	for i, c := range p {
		if c == '/' && i > 0 && p[i-1] == '/' {
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
