package peer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Kubernetes is a real API server with its store, on loopback. It keeps and validates objects;
// nothing acts on them: there are no controllers and no nodes.
type Kubernetes struct {
	kubectl string
	flags   []string // server and credentials, for kubectl
}

// StartKubernetes starts an API server that ends with the test. It takes some seconds.
func StartKubernetes(t testing.TB) *Kubernetes {
	t.Helper()
	etcd, apiserver, kubectl := Path(t, "etcd"), Path(t, "kube-apiserver"), Path(t, "kubectl")
	dir := t.TempDir()
	store, storePeers, api := freeAddress(t), freeAddress(t), freeAddress(t)
	host, port, err := net.SplitHostPort(api)
	if err != nil {
		t.Fatal(err)
	}

	start(t, dir, etcd, "--data-dir="+filepath.Join(dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls=http://"+store, "--advertise-client-urls=http://"+store,
		"--listen-peer-urls=http://"+storePeers)

	token := rand.Text()
	tokens := write(t, dir, "tokens.csv", token+`,admin,1,"system:masters"`)
	accounts := write(t, dir, "accounts.key", privateKey(t))
	server := start(t, dir, apiserver, "--etcd-servers=http://"+store,
		"--bind-address="+host, "--advertise-address="+host, "--secure-port="+port, "--cert-dir="+dir,
		"--token-auth-file="+tokens, "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+accounts, "--service-account-signing-key-file="+accounts)

	k := &Kubernetes{kubectl: kubectl, flags: []string{
		"--server=https://" + api, "--token=" + token, "--certificate-authority=" + filepath.Join(dir, "apiserver.crt"),
		"--kubeconfig=" + os.DevNull, "--cache-dir=" + filepath.Join(dir, "cache"),
	}}
	for deadline := time.Now().Add(time.Minute); ; {
		out, err := k.run(t, "get", "--raw=/readyz")
		if err == nil {
			return k
		}
		select {
		case <-server.ended:
			t.Fatalf("kube-apiserver ended before it was ready:\n%s", server.log(t))
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("kube-apiserver is not ready after a minute: %s\n%s", out, server.log(t))
		}
	}
}

// Kubectl runs kubectl with these arguments as an administrator and returns what it prints.
// When kubectl fails, so does the test.
func (k *Kubernetes) Kubectl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := k.run(t, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Refuses runs kubectl, which must fail, and returns what it says.
func (k *Kubernetes) Refuses(t testing.TB, args ...string) string {
	t.Helper()
	out, err := k.run(t, args...)
	if err == nil {
		t.Errorf("kubectl %s: it is accepted\n%s", strings.Join(args, " "), out)
	}
	return out
}

func (k *Kubernetes) run(t testing.TB, args ...string) (string, error) {
	out, err := exec.CommandContext(t.Context(), k.kubectl, append(args, k.flags...)...).CombinedOutput()
	return string(out), err
}

// process is a program that runs until the test ends.
type process struct {
	cmd     *exec.Cmd
	logFile string
	ended   chan struct{}
}

func start(t testing.TB, dir, program string, args ...string) *process {
	t.Helper()
	p := &process{logFile: filepath.Join(dir, filepath.Base(program)+".log"), ended: make(chan struct{})}
	log, err := os.Create(p.logFile)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, args...) // killed when the test's context ends
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.cmd = cmd
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // its way of ending is told by the log
		log.Close()
	}()
	t.Cleanup(func() { <-p.ended })
	return p
}

func (p *process) signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// log returns the end of what the process printed.
func (p *process) log(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(p.logFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(data[max(0, len(data)-4096):])
}

// freeAddress returns a loopback address on which nothing listened a moment ago.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func privateKey(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}
