package http1

// Limits bound what a peer can make us hold before its message is understood.
// All sizes are in bytes. A Server or Client replaces zero members by the
// defaults; the codecs take Limits as they are, so start from DefaultLimits.
type Limits struct {
	// RequestLine is the longest request line (or status line) without its
	// CRLF; a longer one is 414. Default 8 KiB, like NGINX.
	RequestLine int
	// HeaderBytes bounds all header lines of a head together, with their
	// CRLFs; more is 431. A single line may use all of it, so that large
	// tokens pass. Default 60 KiB, like Envoy.
	HeaderBytes int
	// HeaderCount bounds the number of header lines; more is 431. Default
	// 100, like Envoy.
	HeaderCount int
	// ChunkLine is the longest chunk-size line with its extensions and
	// without its CRLF; a longer one is 400. Default 256.
	ChunkLine int
	// TrailerBytes and TrailerCount bound a trailer section; more is 431.
	// Defaults 8 KiB and 32.
	TrailerBytes, TrailerCount int
}

// DefaultLimits returns the limits named in the comments of Limits.
func DefaultLimits() Limits {
	return Limits{
		RequestLine: 8 << 10, HeaderBytes: 60 << 10, HeaderCount: 100,
		ChunkLine: 256, TrailerBytes: 8 << 10, TrailerCount: 32,
	}
}

func (l *Limits) fill() {
	d := DefaultLimits()
	for _, p := range []struct {
		v *int
		d int
	}{
		{&l.RequestLine, d.RequestLine}, {&l.HeaderBytes, d.HeaderBytes}, {&l.HeaderCount, d.HeaderCount},
		{&l.ChunkLine, d.ChunkLine}, {&l.TrailerBytes, d.TrailerBytes}, {&l.TrailerCount, d.TrailerCount},
	} {
		if *p.v <= 0 {
			*p.v = p.d
		}
	}
}
