package stage

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http2"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/scenario"
)

// protocol is a version of HTTP: its name in TLS, and how to speak it.
type protocol struct {
	name     string
	exchange func(net.Conn, *scenario.Request) (*http.Response, error)
}

// send sends the request and reads the answer. Backend is the address of the endpoint
// that got it.
func (st *Stage) send(r *scenario.Request, over protocol) (*scenario.Outcome, error) {
	st.standIn.reset()
	conn, err := st.connect(r, over.name)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	began := time.Now()
	resp, err := over.exchange(conn, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	o := &scenario.Outcome{Status: resp.StatusCode, Body: string(body), Answer: fieldsOf(resp.Header), Delay: time.Since(began)}
	address, got, err := st.standIn.last()
	if got != nil {
		o.Backend, o.Method, o.Target, o.Host, o.Got = address, got.Method, got.RequestURI, got.Host, fieldsOf(got.Header)
	}
	return o, err
}

// patience bounds an exchange that nobody ends.
const patience = time.Minute

func (st *Stage) connect(r *scenario.Request, protocol string) (conn net.Conn, err error) {
	address, err := st.socket(r)
	if err != nil {
		return nil, err
	}
	if r.Secure {
		conn, err = tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, ServerName: r.SNI, NextProtos: []string{protocol}})
	} else {
		conn, err = net.Dial("tcp", address)
	}
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(patience))
}

// exchange1 speaks HTTP/1.1.
func exchange1(conn net.Conn, r *scenario.Request) (*http.Response, error) {
	go writeRequest(conn, r) // the answer may come before the end of the body
	return http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.Method})
}

// exchange2 speaks HTTP/2. The target goes out as it is.
func exchange2(conn net.Conn, r *scenario.Request) (*http.Response, error) {
	c, err := new(http2.Transport).NewClientConn(conn)
	if err != nil {
		return nil, err
	}
	req := &http.Request{
		Method: r.Method, Host: r.Host, Header: http.Header{"User-Agent": nil},
		URL: &url.URL{Scheme: "http", Host: r.Host, Opaque: "//" + r.Host + r.Target},
	}
	for _, f := range r.Header {
		req.Header.Add(f.Name, f.Value)
	}
	if r.Body > 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(make([]byte, r.Body))), r.Body
	}
	if r.Chunked {
		req.ContentLength = -1
	}
	return c.RoundTrip(req)
}

func writeRequest(w io.Writer, r *scenario.Request) {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s %s HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n", r.Method, r.Target, r.Host)
	for _, f := range r.Header {
		fmt.Fprintf(b, "%s: %s\r\n", f.Name, f.Value)
	}
	body := make([]byte, r.Body)
	switch {
	case r.Chunked:
		fmt.Fprintf(b, "transfer-encoding: chunked\r\n\r\n")
		for piece := range slices.Chunk(body, 1000) {
			fmt.Fprintf(b, "%x\r\n%s\r\n", len(piece), piece)
		}
		b.WriteString("0\r\n\r\n")
	case r.Body > 0:
		fmt.Fprintf(b, "content-length: %d\r\n\r\n", r.Body)
		b.Write(body)
	default:
		b.WriteString("\r\n")
	}
	b.Flush()
}

func fieldsOf(h http.Header) header.Fields {
	var f header.Fields
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, v := range h[name] {
			f.Add(strings.ToLower(name), v)
		}
	}
	return f
}
