package cli

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// People log in to the demo, programs are told to, and nobody says who they are but the provider.
func TestDemoLogin(t *testing.T) {
	p := startDemo(t, "--login")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p.client.Jar = jar
	forged := []string{"Sec-Fetch-Mode", "navigate", "kubeflow-userid", "root@example.com", "kubeflow-groups", "root"}

	if resp, body := p.do(t, "GET", "https://cluster/myapp/x", nil, "kubeflow-userid", "root@example.com"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a program: got %d %s, want 401", resp.StatusCode, body)
	}
	if resp, body := p.do(t, "GET", "https://cluster/myapp/x", nil, "Authorization", "Basic YTpi"); resp.StatusCode != http.StatusForbidden || body != "RBAC: access denied" {
		t.Errorf("with a useless Authorization: got %d %s, want 403", resp.StatusCode, body)
	}
	if resp, body := p.do(t, "POST", "https://cluster/serving/iris/v1/models/iris:predict", strings.NewReader(`{"instances": [[6.8, 2.8, 4.8, 1.4]]}`)); resp.StatusCode != http.StatusOK {
		t.Errorf("the gateway for programs: got %d %s, want 200", resp.StatusCode, body)
	}

	p.client.CheckRedirect = nil
	resp, page := p.do(t, "GET", "https://cluster/myapp/x?y=1", nil, forged...)
	form := regexp.MustCompile(`action="([^"]+)"[^§]*name="id" value="([^"]+)"`).FindStringSubmatch(page)
	if resp.StatusCode != http.StatusOK || form == nil || resp.Request.URL.Path != "/dex/login" {
		t.Fatalf("a person: got %d at %s: %s, want the login page", resp.StatusCode, resp.Request.URL, page)
	}
	to, err := resp.Request.URL.Parse(html.UnescapeString(form[1]))
	if err != nil {
		t.Fatal(err)
	}
	resp, err = p.client.PostForm(to.String(), url.Values{"id": {form[2]}, "email": {"alice@example.com"}, "password": {demoPassword}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.RequestURI() != "/myapp/x?y=1" {
		t.Fatalf("after the login: got %d at %s, want 200 at /myapp/x?y=1", resp.StatusCode, resp.Request.URL)
	}
	_, body := p.do(t, "GET", "https://cluster/myapp/x", nil, forged...)
	var got received
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	for name, want := range map[string]string{"Kubeflow-Userid": "alice@example.com", "Kubeflow-Groups": "WyJhZG1pbnMiLCJkYXRhLXNjaWVuY2UiXQ==", "X-Auth-Request-Groups": "admins,data-science", "Cookie": ""} {
		if v := strings.Join(got.Headers[name], "|"); v != want {
			t.Errorf("the application's header %s: got %q, want %q", name, v, want)
		}
	}

	// The logout is the provider's too.
	if resp, body := p.do(t, "GET", "https://cluster/oauth2/sign_out", nil, forged...); resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/dex/logged-out" {
		t.Errorf("after the logout: at %s: %s", resp.Request.URL, body)
	}
	if resp, body := p.do(t, "GET", "https://cluster/myapp/x", nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the logout: got %d %s, want 401", resp.StatusCode, body)
	}
}

func TestDemoLoginStaysOnTheMachine(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := Main([]string{"demo", "--login", "--https", ":8443"}, strings.NewReader(""), &out, &errOut); code != exitMisused || !strings.Contains(errOut.String(), "give --https 127.0.0.1:8443") {
		t.Errorf("got %d %s", code, errOut.String())
	}
}
