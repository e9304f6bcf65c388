package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// door is what Doorward does with an application under a prefix: it takes the
// prefix off, and tells it where told is set.
func door(t *testing.T, app *application, prefix string, told bool) *httptest.Server {
	t.Helper()
	h := app.handler()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.RequestURI, prefix+"/")
		if !ok {
			http.Error(w, "outside of the prefix: "+r.RequestURI, http.StatusNotFound)
			return
		}
		r.RequestURI = "/" + rest
		u, err := url.ParseRequestURI(r.RequestURI)
		if err != nil {
			t.Errorf("parse %q: %v", r.RequestURI, err)
		}
		r.URL = u
		if told {
			r.Header.Set("X-Forwarded-Prefix", prefix)
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// get follows redirects and returns the final answer and its body.
func get(t *testing.T, target, accept string, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestEveryLinkStaysBehindTheDoor(t *testing.T) {
	for _, c := range []struct {
		name   string
		app    *application
		prefix string
		told   bool
	}{
		{"plain form", myapp(), "/myapp", false},
		{"told its prefix", myapp(), "/myapp-prefixed", true},
		{"mlflow", mlflow(), "/mlflow", true},
		{"inference", inference(), "/serving/iris", false},
		{"own host", console(&store{}), "", false},
		{"start page", home(), "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := door(t, c.app, c.prefix, c.told)
			for _, at := range []string{"/", "/hello/world", "/a/b/c?q=1"} {
				page := s.URL + c.prefix + at
				resp, body := get(t, page, "text/html")
				if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != "text/html; charset=utf-8" {
					t.Fatalf("GET %s: got %d %s, want a page", page, resp.StatusCode, got)
				}
				for _, ref := range references(body) {
					if c.app.Bare && !strings.HasPrefix(ref, ".") {
						continue // the start page leads to the other applications
					}
					target := resolve(t, page, ref)
					if resp, _ := get(t, target, "text/html"); resp.StatusCode != 200 && resp.StatusCode != 405 {
						t.Errorf("%s in %s leads to %s: got %d", ref, page, target, resp.StatusCode)
					}
				}
			}
		})
	}
}

// references are the values of href, src and action in a page.
func references(body string) []string {
	var refs []string
	for _, attribute := range []string{` href="`, ` src="`, ` action="`} {
		for _, part := range strings.Split(body, attribute)[1:] {
			ref, _, _ := strings.Cut(part, `"`)
			if !strings.HasPrefix(ref, "data:") {
				refs = append(refs, strings.ReplaceAll(ref, "&amp;", "&"))
			}
		}
	}
	return refs
}

func resolve(t *testing.T, page, ref string) string {
	t.Helper()
	base, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	u, err := base.Parse(ref)
	if err != nil {
		t.Fatalf("the reference %q in %s: %v", ref, page, err)
	}
	return u.String()
}

// A client that reaches the application past a rule which sets the header may
// tell any prefix: it must not lead the application's redirects elsewhere.
func TestForgedPrefixIsNotBelieved(t *testing.T) {
	s := door(t, myapp(), "/myapp", false)
	for _, forged := range []string{"//other.example", "https://other.example", "/a//b", "/a/", "javascript:x", `/"><script>`, "/a?b", `/\other.example`} {
		resp, body := get(t, s.URL+"/myapp/x", "text/html", "X-Forwarded-Prefix", forged)
		for _, ref := range references(body) {
			if to := resolve(t, s.URL+"/myapp/x", ref); !strings.HasPrefix(to, s.URL+"/myapp/") {
				t.Errorf("X-Forwarded-Prefix: %s: the page leads to %s", forged, to)
			}
		}
		if strings.Contains(body, "<script>") || resp.StatusCode != 200 {
			t.Errorf("X-Forwarded-Prefix: %s: got %d with a script of the client", forged, resp.StatusCode)
		}
	}
}

func TestJSONShowsWhatWasReceived(t *testing.T) {
	s := door(t, myapp(), "/myapp-prefixed", true)
	_, body := get(t, s.URL+"/myapp-prefixed/a//b/%2F?q=%20", "application/json", "X-Custom", "one")
	var got received
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if got.Method != "GET" || got.Target != "/a//b/%2F?q=%20" || got.Prefix != "/myapp-prefixed" || got.Application != "myapp" ||
		"http://"+got.Host != s.URL || got.Protocol != "HTTP/1.1" || !strings.HasPrefix(got.Peer, "127.0.0.1:") {
		t.Errorf("got %+v", got)
	}
	if v := got.Headers["X-Custom"]; len(v) != 1 || v[0] != "one" {
		t.Errorf("got X-Custom %q, want one", v)
	}
}

func TestFormRemembersUnderThePrefix(t *testing.T) {
	s := door(t, myapp(), "/myapp-prefixed", true)
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.PostForm(s.URL+"/myapp-prefixed/form", url.Values{"name": {"Ada; Path=/"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got, want := resp.Header.Get("Location"), "/myapp-prefixed/greeting"; resp.StatusCode != 303 || got != want {
		t.Errorf("got %d Location %s, want 303 %s", resp.StatusCode, got, want)
	}
	want := "name=Ada__Path=/; Path=/myapp-prefixed/; Max-Age=3600; HttpOnly; SameSite=Lax"
	if got := resp.Header.Get("Set-Cookie"); got != want {
		t.Errorf("got Set-Cookie %q, want %q", got, want)
	}
	if _, body := get(t, s.URL+"/myapp-prefixed/greeting", "text/html", "Cookie", "name=<b>"); !strings.Contains(body, "Hello, &lt;b&gt;.") {
		t.Error("the page does not greet the name of the cookie, escaped")
	}
}

func TestUploadCounts(t *testing.T) {
	s := door(t, myapp(), "/myapp", false)
	for _, c := range []struct{ kind, body, want string }{
		{"application/octet-stream", strings.Repeat("x", 3<<20), `{ "bytes": 3145728 }`},
		{"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n12345\r\n--b--\r\n", `{ "bytes": 5 }`},
		{"multipart/form-data; boundary=b", "--b\r\n\r\n12345", "the body ended after 5 bytes: unexpected EOF"},
		{"multipart/form-data", "", "the body ended after 0 bytes: no multipart boundary param in Content-Type"},
	} {
		resp, err := http.Post(s.URL+"/myapp/upload", c.kind, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := strings.Join(strings.Fields(string(body)), " "); got != c.want {
			t.Errorf("%s: got %s, want %s", c.kind, got, c.want)
		}
	}
}

func TestEventsComeAtOnce(t *testing.T) {
	s := door(t, myapp(), "/myapp", false)
	resp, err := http.Get(s.URL + "/myapp/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("got Content-Type %s", got)
	}
	lines := bufio.NewScanner(resp.Body)
	for _, want := range []string{"id: 1", "data: event 1", ""} {
		if lines.Scan(); lines.Text() != want {
			t.Errorf("got line %q, want %q", lines.Text(), want)
		}
	}
}

func TestEcho(t *testing.T) {
	s := door(t, myapp(), "/myapp", false)
	c, _, err := websocket.Dial(t.Context(), s.URL+"/myapp/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := c.Read(t.Context()); string(got) != "hello" || err != nil {
		t.Errorf("got %q, %v, want hello", got, err)
	}

	_, resp, err := websocket.Dial(t.Context(), s.URL+"/myapp/echo", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"https://other.example"}}})
	if err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another host connected: got %v, want 403", err)
	}
}

func TestModelTellsFlowersApart(t *testing.T) {
	s := door(t, inference(), "/serving/iris", false)
	for _, c := range []struct {
		body, want string
		status     int
	}{
		{`{"instances": [[5.1, 3.5, 1.4, 0.2], [6.8, 2.8, 4.8, 1.4], [6.3, 3.3, 6.0, 2.5]]}`, `{ "predictions": [ 0, 1, 2 ] }`, 200},
		{`{"instances": []}`, `{ "error": "there are no instances" }`, 400},
		{`{"instances": [[1]]}`, `{ "error": "instance 0 has 1 numbers, want 4: sepal length and width, petal length and width" }`, 400},
	} {
		resp, err := http.Post(s.URL+"/serving/iris/v1/models/iris:predict", "application/json", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := strings.Join(strings.Fields(string(body)), " "); got != c.want || resp.StatusCode != c.status {
			t.Errorf("%s: got %d %s, want %d %s", c.body, resp.StatusCode, got, c.status, c.want)
		}
	}
}

func TestStoreRemembersTheNewest(t *testing.T) {
	s := &store{}
	h := httptest.NewServer(console(s).handler())
	defer h.Close()
	r, err := http.NewRequestWithContext(t.Context(), "PUT", h.URL+"/bucket/a/b", strings.NewReader("abc"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	want := storedObject{"bucket/a/b", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}
	if got := s.list(); len(got) != 1 || got[0] != want {
		t.Errorf("got %v, want %v", got, want)
	}
	for range maxObjects + 5 {
		s.add(storedObject{})
	}
	if got := len(s.list()); got != maxObjects {
		t.Errorf("the store remembers %d objects, want %d", got, maxObjects)
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	addresses, err := Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(addresses), len(applications()); got != want {
		t.Errorf("got %d addresses, want %d", got, want)
	}
	var streams []io.ReadCloser
	for service, address := range addresses {
		resp, err := http.Get("http://" + address + "/events")
		if err != nil {
			t.Fatalf("%s: %v", service, err)
		}
		streams = append(streams, resp.Body)
	}
	cancel()
	for _, s := range streams {
		io.Copy(io.Discard, s) // returns, for the stream is over
		s.Close()
	}
}
