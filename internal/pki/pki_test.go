package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestDefaultIsTheOneOfIngressNGINX(t *testing.T) {
	c, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Leaf.Subject.String(), "CN=Kubernetes Ingress Controller Fake Certificate,O=Acme Co"; got != want {
		t.Errorf("got subject %s, want %s", got, want)
	}
	if err := c.Leaf.VerifyHostname("ingress.local"); err != nil {
		t.Error(err)
	}
	if key, ok := c.PrivateKey.(*ecdsa.PrivateKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("got a key of type %T, want ECDSA P-256", c.PrivateKey)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.Leaf)
	if _, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: "ingress.local", Roots: roots}); err != nil {
		t.Errorf("who trusts it cannot verify it: %v", err)
	}
}

func TestAuthorityIssues(t *testing.T) {
	a, err := NewAuthority("test authority")
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Issue("app.example.com", "*.apps.example.com", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"app.example.com", "x.apps.example.com", "127.0.0.1"} {
		if _, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: a.Pool()}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: "other.example.com", Roots: a.Pool()}); err == nil {
		t.Error("it is good for a name that it was not made for")
	}
	chain, key, err := PEM(c)
	if err != nil {
		t.Fatal(err)
	}
	read, err := tls.X509KeyPair(chain, key)
	if err != nil || len(read.Certificate) != 2 || !read.Leaf.Equal(c.Leaf) {
		t.Errorf("its PEM form reads as %d certificates (%v), want the certificate and the authority's", len(read.Certificate), err)
	}
	if _, err := a.Issue(); err == nil {
		t.Error("a certificate without a name is made")
	}
	if _, err := SelfSigned(); err == nil {
		t.Error("a self-signed certificate without a name is made")
	}
}

func TestKeepDefault(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	first := kept(t, dir)
	if again := kept(t, dir); !again.Leaf.Equal(first.Leaf) {
		t.Error("a second start shows another certificate")
	}
	file := filepath.Join(dir, defaultFile)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is kept with mode %v (%v), want 0600", info.Mode(), err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 {
		t.Errorf("got the files %v, want only the certificate", files)
	}

	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if repaired := kept(t, dir); repaired.Leaf.Equal(first.Leaf) {
		t.Error("a damaged certificate is shown")
	}
}

func TestKeepDefaultRenews(t *testing.T) {
	dir := t.TempDir()
	old := kept(t, dir)
	short := *old.Leaf
	short.NotAfter = time.Now().Add(renewBefore - time.Hour)
	der, err := x509.CreateCertificate(nil, &short, &short, short.PublicKey, old.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := keep(filepath.Join(dir, defaultFile), &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: old.PrivateKey}); err != nil {
		t.Fatal(err)
	}
	if c := kept(t, dir); bytes.Equal(c.Certificate[0], der) {
		t.Error("a certificate that soon expires is shown")
	}
}

func TestKeepDefaultTellsWhatItCannotUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := KeepDefault(file); err == nil {
		t.Errorf("got %v with a file for a directory, want an error", c.Leaf.Subject)
	}
}

func kept(t *testing.T, dir string) *tls.Certificate {
	t.Helper()
	c, err := KeepDefault(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
