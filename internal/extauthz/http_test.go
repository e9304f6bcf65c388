package extauthz

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

func TestCheckOverHTTP(t *testing.T) {
	for _, protocol := range []plan.Protocol{plan.HTTP1, plan.HTTP2} {
		asked := make(chan string, 1)
		address := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			asked <- fmt.Sprintf("%d %s %s %s cookie=%s length=%d body=%s", r.ProtoMajor, r.Method, r.Host, r.RequestURI, r.Header.Get("Cookie"), r.ContentLength, body)
			w.Header().Add("X-User", "alice")
			w.Header().Add("Connection", "X-Hop")
			w.Header().Add("X-Hop", "h")
			w.WriteHeader(200)
		})
		p := &plan.Provider{Backend: &plan.Backend{Protocol: protocol}, UpstreamOnAllow: []match.Text{{Op: match.Prefix, Value: "x-"}}}
		c := newClient(t, p, address)
		for _, body := range []string{"", "some text"} {
			q := question()
			q.Body = []byte(body)
			v := c.Ask(t.Context(), p, q)
			if v.Err != nil || !v.Allowed || fmt.Sprint(v.Set) != "[{x-user alice}]" && protocol == plan.HTTP1 {
				t.Errorf("%v: got %+v", protocol, v)
			}
			want := fmt.Sprintf("%d POST app.example.com /a//b%%2F?q=%%20 cookie=a=1 length=%d body=%s", map[plan.Protocol]int{plan.HTTP1: 1, plan.HTTP2: 2}[protocol], len(body), body)
			if got := <-asked; got != want {
				t.Errorf("%v: got %s, want %s", protocol, got, want)
			}
		}
		if n := c.Counts()["p"]; n != (Counts{OK: 2}) {
			t.Errorf("counts: got %+v", n)
		}
	}
}

// What is no answer is no verdict, and says why.
func TestNoVerdict(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		timeout time.Duration
		want    string
		counts  Counts
	}{
		{"5xx", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, 0, "it answers 503", Counts{Error: 1}},
		{"too long", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			io.WriteString(w, strings.Repeat("x", maxReply+1))
		}, 0, "longer than 1048576 bytes", Counts{Error: 1}},
		{"late", func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, 20 * time.Millisecond, "no answer within 20ms", Counts{Error: 1, Timeout: 1}},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, 0, "EOF", Counts{Error: 1}},
		{"cut in the body", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			w.WriteHeader(403)
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, 0, "EOF", Counts{Error: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &plan.Provider{Timeout: c.timeout}
			client := newClient(t, p, serve(t, c.handler))
			v := client.Ask(t.Context(), p, question())
			if v.Err == nil || v.Allowed || !strings.Contains(v.Err.Error(), c.want) {
				t.Errorf("got %+v, want an error with %q", v, c.want)
			}
			if got := client.Counts()["p"]; got != c.counts {
				t.Errorf("counts: got %+v, want %+v", got, c.counts)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	ln := listen(t)
	ln.Close()
	p := &plan.Provider{FailOpen: true}
	c := newClient(t, p, ln.Addr().String())
	if v := c.Ask(t.Context(), p, question()); v.Err == nil || !strings.Contains(v.Err.Error(), "refused") {
		t.Errorf("got %v", v.Err)
	}
	if got := c.Counts()["p"]; got != (Counts{Error: 1, FailureModeAllowed: 1}) {
		t.Errorf("got %+v", got)
	}
}

// When the client goes away nobody waits any more, and nothing is counted.
func TestAskEndsWithItsClient(t *testing.T) {
	for _, protocol := range []plan.Protocol{plan.HTTP1, plan.HTTP2} {
		asked, ended := make(chan struct{}), make(chan struct{})
		p := &plan.Provider{Backend: &plan.Backend{Protocol: protocol}}
		c := newClient(t, p, serve(t, func(_ http.ResponseWriter, r *http.Request) {
			close(asked)
			<-r.Context().Done()
			close(ended)
		}))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-asked; cancel() }()
		q := question()
		q.Method = "GET"
		if v := c.Ask(ctx, p, q); v.Err == nil {
			t.Errorf("%v: got %+v", protocol, v)
		}
		<-ended
		if n := c.Counts(); len(n) != 0 {
			t.Errorf("%v: counted %v", protocol, n)
		}
	}
}

// A connection that the authorizer has closed meanwhile costs no verdict.
func TestAConnectionClosedMeanwhile(t *testing.T) {
	ln := listen(t)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(conn)
			if _, err := http.ReadRequest(r); err == nil {
				io.WriteString(conn, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
				http.ReadRequest(r) // the next is read, and not answered
			}
			conn.Close()
		}
	}()
	p := new(plan.Provider)
	c := newClient(t, p, ln.Addr().String())
	for i := range 3 {
		q := question()
		q.Method = "GET"
		if v := c.Ask(t.Context(), p, q); v.Err != nil || !v.Allowed {
			t.Errorf("check %d: got %+v", i, v)
		}
	}
}

// A redirect of the authorizer is the client's, not followed; nothing but 200 allows.
func TestRefusals(t *testing.T) {
	for _, status := range []int{201, 204, 302, 304, 401, 403, 404, 429} {
		p := new(plan.Provider)
		c := newClient(t, p, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
			w.Header().Set("Location", "/login")
			w.WriteHeader(status)
		}))
		v := c.Ask(t.Context(), p, question())
		cookies, _ := v.Header.Joined("set-cookie", ",")
		if v.Err != nil || v.Allowed || v.Status != status || cookies != "a=1,b=2" || v.Header.Value("location") != "/login" {
			t.Errorf("%d: got %+v", status, v)
		}
	}
}
