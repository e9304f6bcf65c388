package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sample is what one round of load showed.
type sample struct {
	cpu  float64 // µs of the proxy for each request
	rate float64 // requests a second
	p99  float64 // ms
}

const (
	host = "h50.example.com"
	path = "/app5/x"
)

func measure(p *proxy, s setting, span time.Duration) (sample, error) {
	before, err := cpuTime(p.cmd.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	begin := time.Now()
	n, p99, err := s.load(p.addr, span)
	if err != nil {
		return sample{}, err
	}
	took := time.Since(begin)
	after, err := cpuTime(p.cmd.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	return sample{cpu: float64((after - before).Nanoseconds()) / 1000 / float64(n), rate: float64(n) / took.Seconds(), p99: p99}, nil
}

func (s setting) load(addr string, span time.Duration) (int, float64, error) {
	if s.rate > 0 {
		return paced(addr, s, span)
	}
	return wrk(addr, s, span)
}

// cpuTime is the time that the threads of a process and of all below it ran.
func cpuTime(pid int) (time.Duration, error) {
	var sum time.Duration
	for _, p := range append([]int{pid}, children(pid)...) {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p))
		for _, t := range threads {
			data, err := os.ReadFile(t)
			if err != nil {
				continue // it has ended
			}
			ran, _, _ := strings.Cut(string(data), " ")
			ns, err := strconv.ParseInt(ran, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", t, err)
			}
			sum += time.Duration(ns)
		}
	}
	return sum, nil
}

func children(pid int) []int {
	var out []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, s := range stats {
		data, err := os.ReadFile(s)
		if err != nil {
			continue
		}
		f := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if parent, _ := strconv.Atoi(f[1]); parent == pid {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(s)))
			out = append(out, child)
			out = append(out, children(child)...)
		}
	}
	return out
}

// wrk loads addr with 64 connections.
func wrk(addr string, s setting, span time.Duration) (int, float64, error) {
	scheme := "http"
	if s.tls {
		scheme = "https"
	}
	args := []string{"wrk", "-t1", "-c64", "-d" + span.String(), "--latency", "-H", "Host: " + host, "-H", "Authorization: " + bearer(),
		"-H", "Accept: */*", "-H", "Cookie: session=0123456789abcdef", scheme + "://" + addr + path}
	if s.pinned {
		args = append([]string{"taskset", "-c", s.loadCore()}, args...)
	}
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("wrk: %w: %s", err, out)
	}
	text := string(out)
	if strings.Contains(text, "Non-2xx") || strings.Contains(text, "Socket errors") {
		return 0, 0, fmt.Errorf("the load met errors: %s", text)
	}
	m := regexp.MustCompile(`(\d+) requests in`).FindStringSubmatch(text)
	q := regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s)`).FindStringSubmatch(text)
	if m == nil || q == nil {
		return 0, 0, fmt.Errorf("cannot read wrk's output: %s", text)
	}
	n, _ := strconv.Atoi(m[1])
	v, _ := strconv.ParseFloat(q[1], 64)
	switch q[2] {
	case "us":
		v /= 1000
	case "s":
		v *= 1000
	}
	return n, v, nil
}

// paced sends s.rate requests a second over 32 connections, evenly spread.
func paced(addr string, s setting, span time.Duration) (int, float64, error) {
	const conns = 32
	var mu sync.Mutex
	var times []float64
	var failed error
	var wg sync.WaitGroup
	every := time.Second * conns / time.Duration(s.rate)
	end := time.Now().Add(span)
	for i := range conns {
		wg.Go(func() {
			time.Sleep(every * time.Duration(i) / conns)
			got, err := pace(addr, s, every, end)
			mu.Lock()
			defer mu.Unlock()
			times = append(times, got...)
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return 0, 0, failed
	}
	slices.Sort(times)
	return len(times), times[len(times)*99/100], nil
}

func pace(addr string, s setting, every time.Duration, end time.Time) ([]float64, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if s.tls {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: host})
	}
	request := request()
	r := bufio.NewReader(conn)
	var times []float64
	for next := time.Now(); next.Before(end); next = next.Add(every) {
		time.Sleep(time.Until(next))
		begin := time.Now()
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return nil, err
		}
		n, err := io.Copy(io.Discard, res.Body)
		if err != nil || res.StatusCode != 200 || n != 1024 {
			return nil, fmt.Errorf("status %d with %d bytes: %v", res.StatusCode, n, err)
		}
		times = append(times, float64(time.Since(begin).Microseconds())/1000)
	}
	return times, nil
}

// request is what the load sends.
func request() []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: " + bearer() + "\r\nAccept: */*\r\nCookie: session=0123456789abcdef\r\n\r\n")
}
