package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// proxy is a running peer.
type proxy struct {
	name  string
	addr  string
	admin string // of Doorward
	cmd   *exec.Cmd
	done  chan struct{} // closed when it has ended
}

func (p *proxy) stop() {
	p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.done:
	case <-time.After(3 * time.Second):
		p.cmd.Process.Kill()
	}
}

// freeAddr is an address that nobody listens on.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func freeAddrs(n int) (addrs []string, err error) {
	for range n {
		a, err := freeAddr()
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}

// start runs a command, on core 0 for a proxy of one core, and waits until addr
// takes connections.
func start(name, addr string, core string, env []string, args ...string) (*proxy, error) {
	if core != "" {
		args = append([]string{"taskset", "-c", core}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	log, err := os.CreateTemp("", "bench-"+name)
	if err != nil {
		return nil, err
	}
	defer os.Remove(log.Name())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // also where this program is killed
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	for range 2500 {
		select {
		case <-done:
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("%s ends: %s", name, text)
		default:
		}
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return &proxy{name: name, addr: addr, cmd: cmd, done: done}, nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	cmd.Process.Kill()
	text, _ := os.ReadFile(log.Name())
	return nil, fmt.Errorf("%s does not listen on %s: %s", name, addr, text)
}

func (s setting) proxyCore() string {
	if s.pinned {
		return "0"
	}
	return ""
}

func (s setting) loadCore() string {
	if s.pinned {
		return "1"
	}
	return ""
}

const nginxHead = `daemon off; worker_processes %d; pid %s.pid; error_log stderr crit;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path /tmp; proxy_temp_path /tmp; fastcgi_temp_path /tmp; uwsgi_temp_path /tmp; scgi_temp_path /tmp;
`

func startUpstream(dir, upstreamAddr string, s setting) (*proxy, error) {
	conf := filepath.Join(dir, "upstream.conf")
	text := fmt.Sprintf(nginxHead, 1, conf) + "server { listen " + upstreamAddr + " backlog=1024; location / { default_type text/plain; return 200 \"" + strings.Repeat("x", 1024) + "\"; } } }\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return start("upstream", upstreamAddr, s.loadCore(), nil, "nginx", "-p", dir, "-c", conf)
}

func startNGINX(dir, upstreamAddr string, s setting) (*proxy, error) {
	conf := filepath.Join(dir, "proxy.conf")
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	listen := addr
	certs := ""
	if s.tls {
		listen += " ssl"
		certs = "ssl_certificate " + dir + "/crt.pem; ssl_certificate_key " + dir + "/key.pem; ssl_protocols TLSv1.2 TLSv1.3;"
	}
	text := fmt.Sprintf(nginxHead, s.cores, conf) + `upstream app { server ` + upstreamAddr + `; keepalive 320; keepalive_requests 1000000000; }
server { listen ` + listen + `; ` + certs + `
location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; } } }
`
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return start("nginx", addr, s.proxyCore(), nil, "nginx", "-p", dir, "-c", conf)
}

// ready is what Doorward's admin address says once the first plan serves.
const ready = "/readyz"

// startDoorward starts a binary. An address that was free may be taken when it
// gets there; then it tries others.
func startDoorward(bin, dir string, s setting) (p *proxy, err error) {
	for range 5 {
		if p, err = tryDoorward(bin, dir, s); err == nil {
			return p, nil
		}
	}
	return nil, err
}

func tryDoorward(bin, dir string, s setting) (*proxy, error) {
	addr, err := freeAddrs(3)
	if err != nil {
		return nil, err
	}
	args := []string{bin, "serve", "-f", filepath.Join(dir, manifestFile), "--access-log", "off", "--http", addr[0], "--https", addr[1], "--admin", addr[2]}
	p, err := start(filepath.Base(bin), addr[0], s.proxyCore(), []string{fmt.Sprintf("GOMAXPROCS=%d", s.cores)}, args...)
	if err != nil {
		return nil, err
	}
	if s.tls {
		p.addr = addr[1]
	}
	p.admin = addr[2]
	for range 2500 {
		if res, err := http.Get("http://" + p.admin + ready); err == nil {
			res.Body.Close()
			if res.StatusCode == 200 {
				return p, nil
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("%s does not get ready", bin)
}

const manifestFile = "manifests.yaml"

// writeFiles writes what the proxies read: manifests and a certificate.
func writeFiles(dir, upstreamAddr string) error {
	if err := os.WriteFile(filepath.Join(dir, manifestFile), []byte(manifests(upstreamAddr)), 0o644); err != nil {
		return err
	}
	return writeCertificate(dir)
}

// manifests are 1,000 routes behind one gateway, 10 prefixes on each of 100
// hosts, with the edge in front.
func manifests(upstreamAddr string) string {
	host, port, _ := net.SplitHostPort(upstreamAddr)
	var b strings.Builder
	b.WriteString(`apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: v1
kind: Service
metadata: {name: gw, namespace: istio-system}
spec: {selector: {istio: ingressgateway}, ports: [{name: http2, port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: istio-system}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: app}
spec: {selector: {app: app}, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: app, namespace: app, labels: {kubernetes.io/service-name: app}}
addressType: IPv4
`)
	fmt.Fprintf(&b, "endpoints: [{addresses: [%q]}]\nports: [{name: http, port: %s}]\n", host, port)
	b.WriteString("---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: main, namespace: istio-system}\nspec:\n  ingressClassName: nginx\n  rules:\n  - http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: gw, port: {number: 80}}}}]}\n")
	for h := range 100 {
		fmt.Fprintf(&b, "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: vs%d, namespace: app}\nspec:\n  hosts: [h%d.example.com]\n  gateways: [istio-system/gw]\n  http:\n", h, h)
		for p := range 10 {
			fmt.Fprintf(&b, "  - match: [{uri: {prefix: /app%d/}}]\n    route: [{destination: {host: app, port: {number: 80}}}]\n", p)
		}
	}
	return b.String()
}

// writeCertificate makes a P-256 certificate for nginx; Doorward's own default
// certificate is of the same kind.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, NotAfter: time.Now().AddDate(1, 0, 0)}
	crt, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "crt.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: crt}), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}

// bearer is a token-sized header, as browsers behind a login send.
func bearer() string { return "Bearer " + base64.RawURLEncoding.EncodeToString(make([]byte, 612)) }
