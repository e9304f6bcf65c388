package plan

import (
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/match"
)

// statusHeaderTooLarge is NGINX's own number for a request head that is too
// large; clients see 400.
const statusHeaderTooLarge = 494

// StatusPlainToTLS is NGINX's own number for plain text to a port of TLS; clients
// see 400.
const StatusPlainToTLS = 497

// PlainToTLS is the answer of the edge to plain text where it listens for TLS. Other
// layers have none, and close the connection.
func (l *Listener) PlainToTLS() (r Reply, ok bool) {
	if l.Dialect != NGINX {
		return Reply{}, false
	}
	return renderNGINX(new(match.Request), Reply{Status: StatusPlainToTLS, Reason: "plain HTTP where TLS is spoken"}), true
}

// renderNGINX gives a reply without a body NGINX's page (ngx_http_special_response).
// Pages of errors are longer for browsers that would show their own instead of
// a short one (msie_padding).
func renderNGINX(r *match.Request, p Reply) Reply {
	if p.Status == 200 && p.Body == "" {
		p.Header.Set("content-type", "text/html")
		return p
	}
	if p.Body != "" || p.Status < 300 || p.Status == 304 {
		return p
	}
	heading, detail := statusText(p.Status), ""
	title := heading
	if p.Status == statusHeaderTooLarge {
		p.Status = 400
		title, heading = "400 Request Header Or Cookie Too Large", "400 Bad Request"
		detail = "<center>Request Header Or Cookie Too Large</center>\r\n"
	}
	if p.Status == StatusPlainToTLS {
		p.Status = 400
		title, heading = "400 The plain HTTP request was sent to HTTPS port", "400 Bad Request"
		detail = "<center>The plain HTTP request was sent to HTTPS port</center>\r\n"
	}
	p.Header.Set("content-type", "text/html")
	p.Body = "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + heading +
		"</h1></center>\r\n" + detail + "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
	// What is refused before the head is read to its end is not padded.
	if p.Status >= 400 && p.Status != 400 && p.Status != 414 && padded(r) {
		p.Body += strings.Repeat("<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n", 6)
	}
	return p
}

// padded tells whether the client is one of those browsers (ngx_http_request,
// ngx_http_process_user_agent).
func padded(r *match.Request) bool {
	agent := r.Header.Value("user-agent")
	if agent == "" {
		return false
	}
	opera := strings.Contains(agent, "Opera")
	if i := strings.Index(agent, "MSIE "); i >= 0 && i+7 < len(agent) && !opera {
		return true
	}
	return !opera && !strings.Contains(agent, "Gecko/") && strings.Contains(agent, "Chrome/")
}

// statusText is the status as NGINX's pages tell it: "404 Not Found".
func statusText(status int) string {
	text, known := reasons[status]
	if !known {
		return strconv.Itoa(status)
	}
	return strconv.Itoa(status) + " " + text
}

// reasons are NGINX's names of the statuses that it has pages for. The map is
// never written to.
var reasons = map[int]string{
	200: "OK", 204: "No Content",
	301: "Moved Permanently", 302: "Found", 303: "See Other", 307: "Temporary Redirect", 308: "Permanent Redirect",
	400: "Bad Request", 401: "Authorization Required", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
	405: "Not Allowed", 406: "Not Acceptable", 408: "Request Time-out", 409: "Conflict", 410: "Gone", 411: "Length Required",
	412: "Precondition Failed", 413: "Request Entity Too Large", 414: "Request-URI Too Large", 415: "Unsupported Media Type",
	416: "Requested Range Not Satisfiable", 421: "Misdirected Request", 429: "Too Many Requests",
	500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Temporarily Unavailable",
	504: "Gateway Time-out", 505: "HTTP Version Not Supported", 507: "Insufficient Storage",
}
