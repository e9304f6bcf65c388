package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// footprint measures starts and memory of each binary, where they are asked for.
func (o *options) footprint() error {
	header := false
	for _, m := range []struct {
		name string
		of   func(*options, string) (string, error)
	}{
		{"start to ready, 1,000 routes", (*options).startToReady},
		{"idle memory, demo", (*options).demoMemory},
		{"an idle connection, plain", func(o *options, bin string) (string, error) { return o.idleConnections(bin, false) }},
		{"an idle connection, TLS", func(o *options, bin string) (string, error) { return o.idleConnections(bin, true) }},
	} {
		if !strings.Contains(m.name, o.only) {
			continue
		}
		if !header {
			fmt.Println("\n| measured | proxy | |\n|---|---|---|")
			header = true
		}
		for _, bin := range o.bins {
			got, err := m.of(o, bin)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", m.name, bin, err)
			}
			fmt.Printf("| %s | %s | %s |\n", m.name, filepath.Base(bin), got)
		}
	}
	return nil
}

// startToReady is the median time from the start of the process until /readyz
// answers 200.
func (o *options) startToReady(bin string) (string, error) {
	var times []time.Duration
	for range o.rounds {
		begin := time.Now()
		p, err := startDoorward(bin, o.dir, setting{cores: 2})
		if err != nil {
			return "", err
		}
		times = append(times, time.Since(begin))
		p.stop()
	}
	slices.Sort(times)
	return fmt.Sprintf("%d ms", times[len(times)/2].Milliseconds()), nil
}

// demoMemory is the resident memory of the demo after it has settled.
func (o *options) demoMemory(bin string) (string, error) {
	addr, err := freeAddrs(3)
	if err != nil {
		return "", err
	}
	p, err := start("demo", addr[0], "", nil, bin, "demo", "--https", addr[0], "--http", addr[1], "--admin", addr[2])
	if err != nil {
		return "", err
	}
	defer p.stop()
	time.Sleep(2 * time.Second)
	rss, err := memory(p.cmd.Process.Pid)
	return fmt.Sprintf("%.1f MiB resident", float64(rss)/(1<<20)), err
}

// idleConnections is what each of many keep-alive connections holds in Doorward
// after one request, beyond the kernel's own buffers.
func (o *options) idleConnections(bin string, secure bool) (string, error) {
	const n = 10_000
	up, err := startUpstream(o.dir, o.upstream, setting{})
	if err != nil {
		return "", err
	}
	defer up.stop()
	p, err := startDoorward(bin, o.dir, setting{cores: 2, tls: secure})
	if err != nil {
		return "", err
	}
	defer p.stop()
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	open := func(until int) error {
		for len(conns) < until {
			c, err := oneRequest(p.addr, secure, len(conns))
			if err != nil {
				return fmt.Errorf("connection %d: %w", len(conns), err)
			}
			conns = append(conns, c)
		}
		return nil
	}
	settled := func() (int64, error) {
		time.Sleep(3 * time.Second)
		// The profile of the heap begins with a collection.
		res, err := http.Get("http://" + p.admin + "/debug/pprof/heap?gc=1")
		if err != nil {
			return 0, err
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		return memory(p.cmd.Process.Pid)
	}
	if err := open(n / 10); err != nil { // what is needed once is there after these
		return "", err
	}
	before, err := settled()
	if err != nil {
		return "", err
	}
	if err := open(n); err != nil {
		return "", err
	}
	after, err := settled()
	return fmt.Sprintf("%.1f KiB resident", float64(after-before)/1024/float64(n-n/10)), err
}

// oneRequest opens a connection and sends a request. Each source address has
// ports for no more than some thousands.
func oneRequest(addr string, secure bool, i int) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i/4000))}}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: host})
	}
	if _, err := conn.Write(request()); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
		return nil, fmt.Errorf("status %d: %v", res.StatusCode, err)
	}
	return conn, nil
}

// memory is the resident memory of a process in bytes.
func memory(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(data, []byte("VmRSS:"))
	fields := strings.Fields(string(rest))
	if len(fields) == 0 {
		return 0, fmt.Errorf("process %d tells no VmRSS", pid)
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10, err
}
