//go:build e2e

package compile

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/peer"
	"github.com/doorward/doorward/internal/plan"
)

// TestE2EPathsAsNGINX gives random paths to a real NGINX, as locations like those
// that ingress-nginx writes, and to the edge as Ingresses. Every request must be
// answered alike: by the same Service with the same target, or with the same
// status, Location and page.
func TestE2EPathsAsNGINX(t *testing.T) {
	nginx := peer.Path(t, "nginx")
	dice := rand.New(rand.NewPCG(1, 2))
	const hosts, requests = 100, 100
	var manifests, servers strings.Builder
	opts := Options{}
	manifests.WriteString(classYAML)
	for h := range hosts {
		host := fmt.Sprintf("h%d.example.com", h)
		locations := map[string]string{"/": "proxy_pass http://unix:UPSTREAM; proxy_set_header X-Service none;"}
		rules := randomPaths(dice)
		fmt.Fprintf(&manifests, "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: h%d, namespace: shop}\nspec:\n  ingressClassName: public\n  rules:\n  - host: %s\n    http:\n      paths:\n", h, host)
		exact := map[string]bool{}
		for _, r := range rules {
			exact[r.path] = exact[r.path] || r.exact
		}
		for i, r := range rules {
			service := fmt.Sprintf("s%d-%d", h, i)
			fmt.Fprintf(&manifests, "      - {path: %q, pathType: %s, backend: {service: {name: %s, port: {number: 80}}}}\n", r.path, map[bool]string{true: "Exact", false: "Prefix"}[r.exact], service)
			to := "proxy_pass http://unix:UPSTREAM; proxy_set_header X-Service " + service + ";"
			switch {
			case r.exact:
				put(locations, "= "+r.path, to)
			case r.path == "/":
				locations["/"] = to
			default:
				put(locations, strings.TrimSuffix(r.path, "/")+"/", to)
				if !exact[r.path] {
					put(locations, "= "+r.path, to)
				}
			}
			opts.Endpoints = append(opts.Endpoints, Attached{Namespace: "shop", Service: service, Port: "80", Address: "192.0.2.1:80"})
		}
		fmt.Fprintf(&servers, "server { listen unix:NGINX; server_name %s;\n", host)
		for name, to := range locations {
			fmt.Fprintf(&servers, "  location %s { %s }\n", name, to)
		}
		servers.WriteString("}\n")
	}
	for _, a := range opts.Endpoints {
		fmt.Fprintf(&manifests, "---\napiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: shop}\nspec: {ports: [{port: 80}]}\n", a.Service)
	}
	socket := startNGINX(t, nginx, servers.String())
	p, problems := Compile(loadYAML(t, manifests.String()), opts)
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	for h := range hosts {
		for range requests {
			host, target := fmt.Sprintf("h%d.example.com", h), randomTarget(dice)
			got, want := walked(p, host, target), asked(t, socket, host, target)
			if got != want {
				t.Errorf("%s%s: got\n%s\nwant\n%s", host, target, got, want)
			}
		}
	}
}

type randomPath struct {
	path  string
	exact bool
}

func put(m map[string]string, name, to string) {
	if _, taken := m[name]; !taken {
		m[name] = to
	}
}

// randomPaths are up to 8 paths without a conflict of path and type.
func randomPaths(dice *rand.Rand) []randomPath {
	var out []randomPath
	seen := map[string]bool{}
	for range 1 + dice.IntN(8) {
		var r randomPath
		for range dice.IntN(4) {
			r.path += "/" + [...]string{"a", "b", "ab"}[dice.IntN(3)]
		}
		if r.path == "" || dice.IntN(4) == 0 {
			r.path += "/"
		}
		r.exact = dice.IntN(3) == 0
		// A prefix with and one without a slash at its end would conflict below it.
		key := fmt.Sprint(strings.TrimSuffix(r.path, "/"), r.exact, r.exact && strings.HasSuffix(r.path, "/"))
		if !seen[key] {
			seen[key] = true
			out = append(out, r)
		}
	}
	return out
}

func randomTarget(dice *rand.Rand) string {
	s := ""
	for range 1 + dice.IntN(4) {
		s += "/" + [...]string{"a", "b", "ab", "a", "b", "", ".", "..", "%61", "%2Fa", "%2e%2e", "a%20b", "%", "%00", "c"}[dice.IntN(15)]
	}
	if dice.IntN(3) == 0 {
		s += "/"
	}
	return s + [...]string{"", "", "", "?x=%2F/..", "?"}[dice.IntN(5)]
}

// walked is what the edge does with a request.
func walked(p *plan.Plan, host, target string) string {
	r := &match.Request{Peer: netip.MustParseAddr("192.0.2.7"), Major: 1, Minor: 1, Method: "GET", Host: host, Target: target}
	var out plan.Outcome
	p.Walk(p.Listener(plan.Edge), r, still{}, nil, &out)
	if out.Kind == plan.ToForward {
		return out.Backend.Service.Name + " " + r.Target
	}
	return fmt.Sprintf("%d %s %s", out.Reply.Status, out.Reply.Header.Value("location"), out.Reply.Body)
}

// asked is what NGINX does with it.
func asked(t *testing.T, socket, host, target string) string {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", target, host)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == 200 {
		return string(body)
	}
	return fmt.Sprintf("%d %s %s", resp.StatusCode, resp.Header.Get("Location"), body)
}

// startNGINX runs NGINX with these servers, and an upstream that says which
// Service it was asked as, and for what. It returns NGINX's socket.
func startNGINX(t *testing.T, nginx, servers string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dw") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	up, err := net.Listen("unix", filepath.Join(dir, "up"))
	if err != nil {
		t.Fatal(err)
	}
	upstream := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Service") == "none" {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(404)
			io.WriteString(w, "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n")
			return
		}
		io.WriteString(w, r.Header.Get("X-Service")+" "+r.RequestURI)
	})}
	go upstream.Serve(up)
	t.Cleanup(func() { upstream.Close() })
	socket := filepath.Join(dir, "nginx")
	text := "daemon off; master_process off; pid " + dir + "/pid; error_log stderr emerg;\nevents {}\nhttp { access_log off; server_tokens off; port_in_redirect off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		text += kind + "_temp_path " + dir + ";\n"
	}
	text += strings.NewReplacer("UPSTREAM", filepath.Join(dir, "up"), "unix:NGINX", "unix:"+socket).Replace(servers) + "}\n"
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nginx, "-p", dir, "-c", conf)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
			return socket
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal(err)
		}
	}
}
