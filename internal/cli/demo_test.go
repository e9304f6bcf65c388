package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/doorward/doorward/internal/peer"
)

// platform is a running `doorward demo`.
type platform struct {
	http, https, admin string // HOST:PORT
	client             *http.Client
}

// startDemo runs the verb, with more flags, on free ports until the test ends.
func startDemo(t *testing.T, flags ...string) *platform {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		root := newRoot()
		root.SetArgs(append([]string{"demo", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, flags...))
		root.SetOut(in)
		root.SetErr(t.Output())
		err := root.ExecuteContext(ctx)
		in.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("doorward demo ended with %v", err)
		}
	})
	p := &platform{client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // self-signed
			DialContext:     toLoopback,
		},
	}}
	t.Cleanup(p.client.CloseIdleConnections)
	p.read(t, out)
	return p
}

// toLoopback connects to every name's port on this machine, as browsers do for *.localhost.
func toLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}

// read takes the addresses from what the verb prints, and lets it print on.
func (p *platform) read(t *testing.T, out io.Reader) {
	t.Helper()
	address := regexp.MustCompile(`(https?)://(cluster\.localhost|127\.0\.0\.1)(:\d+)`)
	lines := bufio.NewScanner(out)
	for p.http == "" || p.https == "" || p.admin == "" {
		if !lines.Scan() {
			t.Fatalf("doorward demo ended before it told its addresses: %v", lines.Err())
		}
		for _, m := range address.FindAllStringSubmatch(lines.Text(), -1) {
			switch {
			case m[2] == "127.0.0.1":
				p.admin = m[2] + m[3]
			case m[1] == "https":
				p.https = m[2] + m[3]
			default:
				p.http = m[2] + m[3]
			}
		}
	}
	go io.Copy(io.Discard, out)
}

// do sends a request whose URL begins with a scheme and a host of the platform:
// "https://cluster/myapp/". The port is the demo's.
func (p *platform) do(t *testing.T, method, target string, body io.Reader, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url(target), body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return resp, string(text)
}

func (p *platform) url(target string) string {
	_, plain, _ := strings.Cut(p.http, ":")
	_, secure, _ := strings.Cut(p.https, ":")
	for _, host := range []string{"cluster", "minio"} {
		target = strings.Replace(target, "https://"+host+"/", "https://"+host+".localhost:"+secure+"/", 1)
		target = strings.Replace(target, "http://"+host+"/", "http://"+host+".localhost:"+plain+"/", 1)
	}
	return target
}

// received is what an application of the demo tells of a request.
type received struct {
	Application, Method, Target, Host, Prefix string
	Headers                                   map[string][]string
}

// The platform guide, request by request, through the demo.
func TestDemoServesTheGuide(t *testing.T) {
	p := startDemo(t)
	for _, c := range []struct {
		request  string
		status   int
		location string // of a redirect
		got      received
	}{
		// The main door sends people to https, and the gateway to the slash.
		{request: "GET http://cluster/myapp/x?y=1", status: 308, location: "https://cluster/myapp/x?y=1"},
		{request: "GET https://cluster/myapp", status: 301, location: "https://cluster/myapp/"},
		{request: "GET https://cluster/myapp?y=1", status: 301, location: "https://cluster/myapp/?y=1"},
		{request: "GET https://cluster/mlflow", status: 301, location: "https://cluster/mlflow/"},

		// The two forms of a VirtualService.
		{request: "GET https://cluster/myapp/", status: 200, got: received{Application: "myapp", Target: "/", Prefix: "/myapp"}},
		{request: "GET https://cluster/myapp/x?y=1", status: 200, got: received{Application: "myapp", Target: "/x?y=1", Prefix: "/myapp"}},
		{request: "GET https://cluster/myapp-prefixed/x", status: 200, got: received{Application: "myapp", Target: "/x", Prefix: "/myapp-prefixed",
			Headers: map[string][]string{"X-Forwarded-Prefix": {"/myapp-prefixed"}}}},
		{request: "GET https://cluster/mlflow/experiments/1", status: 200, got: received{Application: "MLflow", Target: "/experiments/1", Prefix: "/mlflow",
			Headers: map[string][]string{"X-Forwarded-Prefix": {"/mlflow"}}}},

		// MinIO's own host, straight from the edge.
		{request: "GET https://minio/browser", status: 200, got: received{Application: "MinIO", Target: "/browser",
			Headers: map[string][]string{"X-Forwarded-Proto": {"https"}, "X-Envoy-Attempt-Count": nil}}},
		{request: "GET http://minio/", status: 308, location: "https://minio"},

		// The gateways are isolated from each other: what is joined to one is not reachable through the other.
		{request: "GET https://cluster/serving/iris/hello", status: 200, got: received{Application: "Inference", Target: "/hello", Prefix: "/serving/iris"}},
		{request: "GET https://cluster/serving/myapp/", status: 404},
		{request: "GET https://cluster/serving/mlflow/", status: 404},
		{request: "GET https://cluster/serving/../myapp/", status: 200, got: received{Application: "myapp", Target: "/"}},
		{request: "GET https://cluster/serving", status: 404},
		{request: "GET https://cluster/iris/hello", status: 404},
		{request: "GET https://minio/myapp/", status: 200, got: received{Application: "MinIO", Target: "/myapp/"}},

		// What nobody serves.
		{request: "GET https://cluster/nothing", status: 404},
		{request: "GET https://cluster/myapplication", status: 404},
		{request: "GET https://127.0.0.1/myapp/", status: 404},
	} {
		t.Run(c.request, func(t *testing.T) {
			method, target, _ := strings.Cut(c.request, " ")
			if _, port, _ := strings.Cut(p.https, ":"); strings.HasPrefix(target, "https://127.0.0.1/") {
				target = strings.Replace(target, "127.0.0.1", "127.0.0.1:"+port, 1)
			}
			resp, body := p.do(t, method, target, nil)
			if resp.StatusCode != c.status {
				t.Fatalf("got %d %s, want %d", resp.StatusCode, body, c.status)
			}
			if got, want := resp.Header.Get("Location"), p.urlOfRedirect(c.location); got != want {
				t.Errorf("got Location %q, want %q", got, want)
			}
			if c.got.Application != "" {
				c.got.check(t, p, target, body)
			}
		})
	}
}

// urlOfRedirect is url for a target that may lack its slash.
func (p *platform) urlOfRedirect(target string) string {
	if strings.Count(target, "/") == 2 {
		return strings.TrimSuffix(p.url(target+"/"), "/")
	}
	return p.url(target)
}

// check compares what an application tells with what is wanted of it.
func (want received) check(t *testing.T, p *platform, target, body string) {
	t.Helper()
	var got received
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if got.Application != want.Application || got.Target != want.Target || want.Prefix != "" && got.Prefix != want.Prefix {
		t.Errorf("the application got %s %s under prefix %q, want %+v", got.Application, got.Target, got.Prefix, want)
	}
	if _, rest, _ := strings.Cut(p.url(target), "://"); !strings.HasPrefix(rest, got.Host+"/") {
		t.Errorf("the application got Host %s for %s", got.Host, p.url(target))
	}
	for name, values := range want.Headers {
		if got, want := strings.Join(got.Headers[name], ","), strings.Join(values, ","); got != want {
			t.Errorf("the application got %s: %q, want %q", name, got, want)
		}
	}
}

func TestDemoTakesLargeBodiesAndHeaders(t *testing.T) {
	p := startDemo(t)
	for _, c := range []struct {
		bytes, status int
		announced     bool
	}{
		{100 << 20, 200, true},
		{100<<20 + 1, 413, true},
		{100<<20 + 1, 413, false},
	} {
		var body io.Reader = bytes.NewReader(make([]byte, c.bytes))
		if !c.announced {
			body = io.MultiReader(body) // hides the length
		}
		resp, text := p.do(t, "PUT", "https://minio/bucket/object", body)
		if resp.StatusCode != c.status || c.status == 200 && !strings.Contains(text, `"bytes": 104857600`) {
			t.Errorf("%d bytes, announced: %v: got %d %.200s, want %d", c.bytes, c.announced, resp.StatusCode, text, c.status)
		}
	}
	if resp, _ := p.do(t, "GET", "https://minio/large-header?bytes=20000", nil); len(resp.Header.Get("X-Large")) != 20000 {
		t.Errorf("got %d with a header of %d bytes, want 20000", resp.StatusCode, len(resp.Header.Get("X-Large")))
	}
	// The edge takes header lines of up to 8 KiB, and four of them.
	large := strings.Repeat("t", 7<<10)
	var got received
	_, text := p.do(t, "GET", "https://minio/", nil, "X-One", large, "X-Two", large, "X-Three", large)
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	for _, name := range []string{"X-One", "X-Two", "X-Three"} {
		if v := got.Headers[name]; len(v) != 1 || v[0] != large {
			t.Errorf("%s of 7 KiB did not reach the application", name)
		}
	}
}

// The model answers programs through the cluster-local gateway.
func TestDemoPredicts(t *testing.T) {
	p := startDemo(t)
	resp, body := p.do(t, "POST", "https://cluster/serving/iris/v1/models/iris:predict", strings.NewReader(`{"instances": [[6.8, 2.8, 4.8, 1.4]]}`))
	if got := strings.Join(strings.Fields(body), ""); resp.StatusCode != 200 || got != `{"predictions":[1]}` {
		t.Errorf("got %d %s, want 200 and class 1", resp.StatusCode, body)
	}
}

// The first event comes while the stream goes on: nothing on the way waits for more.
func TestDemoStreams(t *testing.T) {
	p := startDemo(t)
	for _, base := range []string{"https://cluster/myapp/", "https://cluster/serving/iris/", "https://minio/"} {
		resp, err := p.client.Get(p.url(base + "events"))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(resp.Body)
		if lines.Scan(); lines.Text() != "id: 1" {
			t.Errorf("%s: got the line %q (%v), want the first event", base, lines.Text(), lines.Err())
		}
		resp.Body.Close()

		c, _, err := websocket.Dial(t.Context(), p.url(base+"echo"), &websocket.DialOptions{HTTPClient: p.client})
		if err != nil {
			t.Fatalf("WebSocket %s: %v", base, err)
		}
		if err := c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(t.Context()); string(got) != "hello" || err != nil {
			t.Errorf("WebSocket %s: got %q, %v, want hello", base, got, err)
		}
		c.CloseNow()
	}
}

// The platform is free of mistakes, and the demo says what it does not carry out.
func TestDemoTellsItsProblems(t *testing.T) {
	p := startDemo(t)
	_, body := p.do(t, "GET", "http://"+p.admin+"/problems", nil)
	var answer struct {
		Findings []struct{ Code, Severity, Object, Message string }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	for _, f := range answer.Findings {
		if f.Severity == "error" {
			t.Errorf("%s: %s: %s", f.Object, f.Code, f.Message)
		}
	}
}

// curl is what the demo tells people to use.
func TestDemoWithCurl(t *testing.T) {
	curl := peer.Path(t, "curl")
	p := startDemo(t)
	for _, version := range []string{"--http1.0", "--http1.1", "--http2"} {
		out, err := exec.CommandContext(t.Context(), curl, "-sSk", version, "-w", " %{http_code} %{http_version}", p.url("https://cluster/myapp-prefixed/x")).Output()
		if err != nil {
			t.Fatalf("curl %s: %v %s", version, err, out)
		}
		want := map[string]string{"--http1.0": " 200 1", "--http1.1": " 200 1.1", "--http2": " 200 2"}[version]
		if got := string(out); !strings.Contains(got, `"/myapp-prefixed"`) || !strings.HasSuffix(got, want) {
			t.Errorf("curl %s: got %s, want the prefix and%s", version, got, want)
		}
	}
}
