package telemetry

import (
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// appendText appends the line that ingress-nginx writes (log-format-upstream),
// field for field, so that what reads those logs reads these:
//
//	remote_addr - - [time] "method target protocol" status body_bytes_sent "referer" "user_agent"
//	request_length request_time [namespace-service-port] [] upstream_addr upstream_response_length
//	upstream_response_time upstream_status req_id
//
// and after them what only Doorward knows: Envoy's response flags, and where
// Doorward answered by itself, why and by which rule. request_length is the
// length of the request's body. Quotes, backslashes and bytes outside of
// printable ASCII are written \xHH, as NGINX writes them; values of secret
// query parameters are REDACTED.
func appendText(b []byte, x *Exchange) []byte {
	b = appendAddr(b, x)
	b = append(b, " - - ["...)
	b = x.Start.AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	if x.Method != "" {
		b = appendEscaped(b, x.Method)
		b = append(b, ' ')
		b = appendTarget(b, x.Target, appendEscaped)
		b = append(b, ' ')
		b = append(b, x.protocol()...)
	}
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(x.Status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, x.Sent, 10)
	b = appendQuoted(b, withoutQuery(x.Referer))
	b = appendQuoted(b, x.UserAgent)
	b = append(b, ' ')
	b = strconv.AppendInt(b, x.Received, 10)
	b = append(b, ' ')
	b = appendSeconds(b, x.Duration)
	b = append(b, " ["...)
	b = append(b, upstreamName(x.Outcome)...)
	b = append(b, "] [] "...)
	if x.Endpoint == "" {
		b = append(b, "- - - -"...)
	} else {
		b = append(b, x.Endpoint...)
		b = append(b, ' ')
		b = strconv.AppendInt(b, x.Sent, 10)
		b = append(b, ' ')
		if x.Wait < 0 {
			b = append(b, '-')
		} else {
			b = appendSeconds(b, x.Wait)
		}
		b = append(b, ' ')
		if x.UpstreamStatus == 0 {
			b = append(b, '-')
		} else {
			b = strconv.AppendInt(b, int64(x.UpstreamStatus), 10)
		}
	}
	b = append(b, ' ')
	b = appendWord(b, or(x.RequestID, "-"))
	b = append(b, ' ')
	b = append(b, x.Flags.String()...)
	if reason, by := why(x); reason != "" {
		b = appendQuoted(b, reason)
		b = appendQuoted(b, by)
	}
	return append(b, '\n')
}

// why tells the reason of an answer that is not the application's, and the
// rule that decided it.
func why(x *Exchange) (reason, by string) {
	reason = x.Reason
	if x.Outcome == nil || x.Outcome.Kind != plan.ToRespond {
		return reason, ""
	}
	if reason == "" {
		reason = x.Outcome.Reason
	}
	if x.Outcome.By.Ref.Kind != "" {
		by = x.Outcome.By.String()
	}
	return reason, by
}

// upstreamName is the edge's name for the backend: namespace-service-port.
func upstreamName(o *plan.Outcome) string {
	if o == nil || len(o.Hops()) == 0 {
		return ""
	}
	if to := o.Hops()[0].To; to != nil {
		return to.Backend.Key
	}
	return ""
}

func appendAddr(b []byte, x *Exchange) []byte {
	if !x.Client.Addr().IsValid() {
		return append(b, '-')
	}
	return x.Client.Addr().Unmap().AppendTo(b)
}

// appendSeconds appends seconds with three decimals, as NGINX does.
func appendSeconds(b []byte, d time.Duration) []byte {
	ms := max(d.Milliseconds(), 0)
	b = strconv.AppendInt(b, ms/1000, 10)
	b = append(b, '.')
	ms %= 1000
	return append(b, byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, ` "`...)
	b = appendEscaped(b, or(s, "-"))
	return append(b, '"')
}

// appendWord appends s, which a client may have chosen, without blanks.
func appendWord(b []byte, s string) []byte {
	for {
		word, rest, more := strings.Cut(s, " ")
		b = appendEscaped(b, word)
		if !more {
			return b
		}
		b, s = append(b, `\x20`...), rest
	}
}

// appendEscaped appends s so that it stays within one field of one line.
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '"' || c == '\\' || c < 0x20 || c > 0x7e {
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
			continue
		}
		b = append(b, c)
	}
	return b
}
