package peer

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Keycloak is a real one on loopback, with its pages under /auth and a database in memory.
type Keycloak struct {
	Address  string // HOST:PORT, plain HTTP
	password string // of its administrator
	process  *process
}

// StartKeycloak starts a Keycloak that browsers reach under public, a URL that ends in /auth. It
// ends with the test. The start takes 8 to 25 seconds, and 400 MiB.
func StartKeycloak(t testing.TB, public string) *Keycloak {
	t.Helper()
	program := Path(t, "keycloak")
	k := &Keycloak{Address: freeAddress(t), password: rand.Text()}
	_, port, _ := strings.Cut(k.Address, ":")
	k.process = start(t, t.TempDir(), program, "--http-port="+port, "--hostname="+public,
		"--proxy-headers=xforwarded", "--bootstrap-admin-username=admin", "--bootstrap-admin-password="+k.password)
	for deadline := time.Now().Add(2 * time.Minute); ; {
		resp, err := http.Get("http://" + k.Address + "/auth/realms/master")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return k
			}
		}
		select {
		case <-k.process.ended:
			t.Fatalf("Keycloak ended before it was ready:\n%s", k.process.log(t))
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("Keycloak is not ready after two minutes:\n%s", k.process.log(t))
		}
	}
}

// Admin sends a request to Keycloak's administration, with body as JSON unless it is nil, and
// decodes the answer into answer unless that is nil. path begins with "/realms". Another status
// than 2xx fails the test.
func (k *Keycloak) Admin(t testing.TB, method, path string, body, answer any) {
	t.Helper()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	k.Token(t, "master", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {k.password}}, &token)
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+k.Address+"/auth/admin"+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token.AccessToken)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err == nil {
		err = decode(resp, answer)
	}
	if err != nil {
		t.Fatalf("Keycloak: %s %s: %v", method, path, err)
	}
}

// Token asks the token endpoint of a realm and decodes its answer.
func (k *Keycloak) Token(t testing.TB, realm string, form url.Values, answer any) {
	t.Helper()
	resp, err := http.PostForm("http://"+k.Address+"/auth/realms/"+realm+"/protocol/openid-connect/token", form)
	if err == nil {
		err = decode(resp, answer)
	}
	if err != nil {
		t.Fatalf("Keycloak: token of realm %s: %v", realm, err)
	}
}

// Freeze stops Keycloak from answering: connections to it hang. Thaw lets it go on.
func (k *Keycloak) Freeze(t testing.TB) { k.process.signal(t, syscall.SIGSTOP) }

// Thaw ends a Freeze.
func (k *Keycloak) Thaw(t testing.TB) { k.process.signal(t, syscall.SIGCONT) }

// Kill ends Keycloak: connections to it are refused.
func (k *Keycloak) Kill(t testing.TB) {
	k.process.signal(t, syscall.SIGKILL)
	<-k.process.ended
}

func decode(resp *http.Response, into any) error {
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", resp.Status, data)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(data, into)
}
