package plan

import (
	"regexp"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/match"
)

func TestWords(t *testing.T) {
	host, _ := ParseValue("%REQ(x-a)%!")
	for _, c := range []struct{ got, want string }{
		{Describe(&Direct{Status: 404}), "answer 404"},
		{Describe(&Redirect{Code: 301, Path: "/a/"}), "redirect with 301; path /a/"},
		{Describe(&Redirect{Code: 302, Scheme: "https", Host: "b.example.com", Port: "8443"}), "redirect with 302; scheme https; host b.example.com; port 8443"},
		{Describe(&Forward{}), "forward"},
		{Describe(&Forward{Rewrite: &Rewrite{Prefix: "/a/", With: "/"}, Host: "b", Limits: Limits{Total: 5 * time.Second, Read: time.Minute}, Retry: Retry{Attempts: 2}}),
			`forward; the prefix /a/ becomes "/"; host becomes b; timeout 5s; read timeout 1m0s; up to 2 retries`},
		{(&Rewrite{Whole: true, With: "/b"}).String(), "the path becomes /b"},
		{(&Rewrite{Regex: regexp.MustCompile(`^/v\d`), With: "/v"}).String(), `hits of ^/v\d in the path become /v`},
		{(&Fault{Delay: time.Second, DelayShare: 0.5, Abort: 503, AbortShare: 0.001}).String(), "fault: hold back 50% for 1s, abort 0.1% with 503"},
		{(&Fault{IsGRPC: true, AbortGRPC: 14, AbortShare: 1}).String(), "fault: abort 100% with grpc-status 14"},
		{(&CORS{Origins: []match.Text{{Op: match.Exact, Value: "https://a"}, {Op: match.Prefix, Value: "https://b."}}}).String(), `CORS for origin exact "https://a" or prefix "https://b."`},
		{(&Mirror{Share: 0.1, Backend: &Backend{Key: "b"}}).String(), "mirror 10% to b"},
		{(&HeaderRoute{Headers{
			Request:  HeaderEdits{Remove: []string{"x-c"}, Set: []HeaderValue{{"x-a", host}, {"authorization", Literal("Basic c2VjcmV0")}}},
			Response: HeaderEdits{Add: []HeaderValue{{"x-b", Literal("2")}}},
		}}).String(), "request: remove x-c, set x-a: %REQ(x-a)%!, set authorization; response: add x-b: 2"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
