package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/source"
)

// manifests are a gateway and a route whose prefix is to be filled in for PREFIX.
const manifests = `apiVersion: v1
kind: Service
metadata: {name: gw, namespace: istio-system}
spec:
  selector: {istio: gw}
  ports: [{name: http, port: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  ports: [{name: http, port: 80}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: istio-system}
spec:
  selector: {istio: gw}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [istio-system/gw]
  http:
  - match: [{uri: {prefix: PREFIX}}]
    route: [{destination: {host: web}}]
`

const gatewayKey = "istio-system/gw:80"

// running is a Server of a test.
type running struct {
	*Server
	file string       // its manifests
	said chan string  // what it logs
	stop func() error // ends it and returns what Run says
}

// start serves manifests with the given prefix in front of backend, until the
// test ends.
func start(t *testing.T, backend http.HandlerFunc, change func(*Options)) *running {
	t.Helper()
	app := httptest.NewServer(backend)
	t.Cleanup(app.Close)
	r := &running{file: filepath.Join(t.TempDir(), "manifests.yaml"), said: make(chan string, 1000)}
	r.write(t, "/old")
	o := Options{
		Manifests: Manifests{
			Source: source.Options{Files: []string{filepath.Dir(r.file)}},
			Compile: compile.Options{Endpoints: []compile.Attached{
				{Namespace: "shop", Service: "web", Port: "80", Address: app.Listener.Addr().String()}}},
		},
		HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0", Admin: "127.0.0.1:0",
		Direct: []Direct{{Key: gatewayKey, Address: "127.0.0.1:0"}},
		Drain:  time.Minute,
		Log:    slog.New(listenTo{slog.DiscardHandler, r.said}),
	}
	if change != nil {
		change(&o)
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	r.Server = s
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	r.stop = func() error {
		cancel()
		err := <-ended
		ended <- err
		return err
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
	return r
}

func (r *running) write(t *testing.T, prefix string) {
	t.Helper()
	if err := os.WriteFile(r.file, []byte(strings.ReplaceAll(manifests, "PREFIX", prefix)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// listenTo is a log whose messages a test waits for.
type listenTo struct {
	slog.Handler
	said chan<- string
}

func (l listenTo) Enabled(context.Context, slog.Level) bool { return true }
func (l listenTo) Handle(_ context.Context, r slog.Record) error {
	select {
	case l.said <- r.Message:
	default:
	}
	return nil
}

// wait waits for a message that contains text.
func (r *running) wait(t *testing.T, text string) {
	t.Helper()
	for {
		select {
		case m := <-r.said:
			if strings.Contains(m, text) {
				return
			}
		case <-t.Context().Done():
			t.Fatalf("it never said %q", text)
		}
	}
}

// get asks a socket of the server for a path.
func (r *running) get(t *testing.T, socket, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + r.Addr(socket).String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (r *running) want(t *testing.T, socket, path string, status int, part string) {
	t.Helper()
	if got, body := r.get(t, socket, path); got != status || !strings.Contains(body, part) {
		t.Errorf("%s %s: got %d %.300q, want %d with %q", socket, path, got, body, status, part)
	}
}

func ok(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }

func TestServesAndIsReady(t *testing.T) {
	r := start(t, ok, nil)
	r.want(t, gatewayKey, "/old", 200, "hello")
	r.want(t, gatewayKey, "/new", 404, "")
	r.want(t, "http", "/", 404, "nginx")
	r.want(t, "admin", "/readyz", 200, "ok")
	conn, err := tls.Dial("tcp", r.Addr("https").String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	st := conn.ConnectionState()
	if got := st.PeerCertificates[0].Subject.CommonName; got != "Kubernetes Ingress Controller Fake Certificate" || st.NegotiatedProtocol != "h2" {
		t.Errorf("got the certificate of %q and protocol %q", got, st.NegotiatedProtocol)
	}
}

func TestReload(t *testing.T) {
	r := start(t, ok, nil)
	r.write(t, "/new")
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.want(t, gatewayKey, "/new", 200, "hello")
	r.want(t, gatewayKey, "/old", 404, "")
}

func TestAChangedFileIsLive(t *testing.T) {
	r := start(t, ok, nil)
	r.wait(t, "serving")
	r.write(t, "/new")
	r.wait(t, "serving")
	r.want(t, gatewayKey, "/new", 200, "hello")
}

func TestAFailedLoadChangesNothing(t *testing.T) {
	r := start(t, ok, nil)
	r.want(t, "admin", "/metrics", 200, "doorward_config_last_reload_successful 1")
	if err := os.RemoveAll(filepath.Dir(r.file)); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(t.Context()); err == nil {
		t.Fatal("manifests that are gone are loaded")
	}
	r.wait(t, "the plan in force stays")
	r.want(t, gatewayKey, "/old", 200, "hello")
	r.want(t, "admin", "/readyz", 200, "ok")
	r.want(t, "admin", "/problems", 200, `"error": "read manifests: stat `)
	r.want(t, "admin", "/metrics", 200, "doorward_config_last_reload_successful 0")
	r.want(t, "admin", "/metrics", 200, `doorward_config_reloads_total{result="success"} 1`)

	if err := os.Mkdir(filepath.Dir(r.file), 0o700); err != nil {
		t.Fatal(err)
	}
	r.write(t, "/new")
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.want(t, gatewayKey, "/new", 200, "hello")
	if _, body := r.get(t, "admin", "/problems"); strings.Contains(body, `"error"`) {
		t.Errorf("after a good load the old error is still told: %s", body)
	}
}

// What "-" reads can be read once, and is there after every load.
func TestStandardInputOutlivesReloads(t *testing.T) {
	r := start(t, ok, func(o *Options) {
		o.Source = source.Options{Files: []string{"-"}, Stdin: strings.NewReader(strings.ReplaceAll(manifests, "PREFIX", "/piped"))}
	})
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.want(t, gatewayKey, "/piped", 200, "hello")
}

func TestDrain(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	r := start(t, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		io.WriteString(w, "finished")
	}, nil)
	address := r.Addr(gatewayKey).String()
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + address + "/old")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answered <- string(body)
	}()
	<-arrived
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	r.wait(t, "draining")
	r.want(t, "admin", "/readyz", 503, "not ready")
	r.want(t, "admin", "/healthz", 200, "ok")
	for { // until the socket is closed
		conn, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		conn.Close()
	}
	select {
	case err := <-stopped:
		t.Fatalf("it ended (%v) while a request was under way", err)
	default:
	}
	close(release)
	if got := <-answered; got != "finished" {
		t.Errorf("the request under way got %q, want its answer", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", r.Addr("admin").String()); err == nil {
		t.Error("the admin pages are still there after the end")
	}
}

// A request that takes longer than the drain is cut off, and the end is a good one.
func TestDrainEnds(t *testing.T) {
	arrived := make(chan struct{})
	gone := make(chan struct{})
	r := start(t, func(_ http.ResponseWriter, req *http.Request) {
		close(arrived)
		<-req.Context().Done()
		close(gone)
	}, func(o *Options) { o.Drain = time.Millisecond })
	failed := make(chan error, 1)
	go func() {
		resp, err := http.Get("http://" + r.Addr(gatewayKey).String() + "/old")
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		failed <- err
	}()
	<-arrived
	if err := r.stop(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	<-gone
	if err := <-failed; err == nil {
		t.Error("the client was not told that its request was cut off")
	}
}

func TestStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	good := source.Options{Texts: []source.Text{{Name: "m", Data: []byte(manifests)}}}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"no manifests", Options{Manifests: Manifests{Source: source.Options{Files: []string{"/nowhere"}}}}, "stat /nowhere"},
		{"an address in use", Options{Manifests: Manifests{Source: good}, HTTP: taken.Addr().String()},
			"--http " + taken.Addr().String() + ": another process listens there; end it, or give another port"},
		{"no address of ours", Options{Manifests: Manifests{Source: good}, Direct: []Direct{{gatewayKey, "192.0.2.1:80"}}},
			"--listen " + gatewayKey + " 192.0.2.1:80: this machine has no such address"},
		{"no state directory", Options{Manifests: Manifests{Source: good}, State: "/dev/null/state"}, "default certificate"},
	} {
		s, err := Start(t.Context(), c.o)
		if err == nil {
			s.Run(t.Context())
			t.Errorf("%s: it started", c.name)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", c.name, err, c.want)
		}
	}
}

// A listener for which nothing is planned answers, and is a problem.
func TestAListenerThatNothingServes(t *testing.T) {
	r := start(t, ok, func(o *Options) { o.Direct = append(o.Direct, Direct{"istio-system/gw:81", "127.0.0.1:0"}) })
	r.want(t, "istio-system/gw:81", "/", 503, "no listener istio-system/gw:81")
	_, body := r.get(t, "admin", "/problems")
	var page struct {
		Findings []struct{ Code, Object, Message string }
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	for _, f := range page.Findings {
		if f.Code == "listen-not-served" && f.Object == "Service istio-system/gw" && strings.Contains(f.Message, "did you mean istio-system/gw:80?") {
			return
		}
	}
	t.Errorf("got %s, want listen-not-served that names the gateway's port", body)
}
