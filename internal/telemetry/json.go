package telemetry

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/doorward/doorward/internal/plan"
)

// appendJSON appends an object on one line. Fields are named as Istio's JSON
// access log names them; absent ones are left out:
//
//	start_time                RFC 3339, with milliseconds, UTC
//	method, path, protocol    as the client sent them; secret query parameters are REDACTED
//	authority                 the Host
//	response_code             the status that the client got
//	response_flags            Envoy's: UF, UH, UT, NR, URX, DC ... or "-"
//	response_code_details     why Doorward answered by itself, or what broke
//	bytes_received, bytes_sent    bodies
//	duration                  milliseconds to the last byte
//	upstream_service_time     milliseconds until the application's answer began
//	upstream_host             address of the application
//	upstream_cluster          the backend's key
//	upstream_code             the application's status, where it differs
//	attempts                  tries towards the application, where not 1
//	downstream_remote_address the client
//	x_forwarded_for, user_agent, referer, request_id
//	listener                  where the request came in
//	route_name                the rule of the last hop, or of the policy that decided, with file and line
//	policy_audit              the AUDIT rules that the request matches
//	policy_dry_run            what policies say that are not enforced
func appendJSON(b []byte, x *Exchange) []byte {
	b = append(b, `{"start_time":"`...)
	b = x.Start.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(b, '"')
	b = field(b, "method", x.Method)
	if x.Target != "" {
		b = append(b, `,"path":"`...)
		b = appendTarget(b, x.Target, appendJSONText)
		b = append(b, '"')
	}
	if x.Method != "" {
		b = field(b, "protocol", x.protocol())
	}
	b = field(b, "authority", x.Host)
	b = number(b, "response_code", int64(x.Status))
	b = field(b, "response_flags", x.Flags.String())
	reason, by := why(x)
	b = field(b, "response_code_details", reason)
	b = number(b, "bytes_received", x.Received)
	b = number(b, "bytes_sent", x.Sent)
	b = number(b, "duration", milliseconds(x.Duration))
	b = appendUpstream(b, x)
	if x.Client.IsValid() {
		b = append(b, `,"downstream_remote_address":"`...)
		b = x.Client.AppendTo(b)
		b = append(b, '"')
	}
	b = field(b, "x_forwarded_for", x.Forwarded)
	b = field(b, "user_agent", x.UserAgent)
	b = field(b, "referer", withoutQuery(x.Referer))
	b = field(b, "request_id", x.RequestID)
	b = field(b, "listener", x.Listener)
	if by == "" && x.Outcome != nil && x.Outcome.By.Ref.Kind != "" {
		by = x.Outcome.By.String()
	}
	b = field(b, "route_name", by)
	if o := x.Outcome; o != nil {
		b = field(b, "policy_audit", o.Audit)
		b = field(b, "policy_dry_run", o.DryRun)
	}
	return append(b, "}\n"...)
}

func appendUpstream(b []byte, x *Exchange) []byte {
	if x.Endpoint != "" {
		if x.Wait >= 0 {
			b = number(b, "upstream_service_time", milliseconds(x.Wait))
		}
		b = field(b, "upstream_host", x.Endpoint)
		if x.UpstreamStatus != 0 && x.UpstreamStatus != x.Status {
			b = number(b, "upstream_code", int64(x.UpstreamStatus))
		}
		if x.Attempts != 1 {
			b = number(b, "attempts", int64(x.Attempts))
		}
	}
	if o := x.Outcome; o != nil && o.Kind == plan.ToForward && o.Backend != nil {
		b = field(b, "upstream_cluster", o.Backend.Key)
	}
	return b
}

func milliseconds(d time.Duration) int64 { return max(d.Milliseconds(), 0) }

func number(b []byte, name string, n int64) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return strconv.AppendInt(b, n, 10)
}

// field appends a text; an empty one is left out.
func field(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':', '"')
	b = appendJSONText(b, value)
	return append(b, '"')
}

// appendJSONText appends s as the inside of a JSON string. Bytes that are no
// UTF-8 become U+FFFD.
func appendJSONText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
			i++
		case c < 0x20 || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		case c < utf8.RuneSelf:
			b = append(b, c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(b, "\ufffd"...)
			} else {
				b = append(b, s[i:i+n]...)
			}
			i += n
		}
	}
	return b
}
