// Command bench measures Doorward beside nginx in one run: CPU per proxied
// request, throughput and the 99th percentile, plain and over TLS, saturated on
// one core and on two, and at a fixed rate. Then it measures how long a start
// takes and how much memory is held.
//
//	go run ./hack/bench [-bin bin/doorward]... [-rounds 5] [-seconds 2] [-only 'one core']
//
// All proxies stand in turn in front of the same upstream (nginx answering
// 1 KiB from memory) under the same load (wrk, or the paced client of this
// program). Rounds interleave them and turn the order around; the table shows
// medians, and the median, least and greatest of each round's ratio to nginx.
// CPU is what the kernel counts for all threads of the proxy over the requests
// that the load counted. Doorward has 1,000 routes loaded (100 hosts with 10
// prefixes each), metrics on and the access log off, and walks edge and
// gateway; nginx is a plain proxy hop with keep-alive upstreams. Several -bin
// compare builds of Doorward.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// setting is one part of the table.
type setting struct {
	name   string
	tls    bool
	cores  int  // of the proxy: 1 is pinned to one core, 2 is not pinned
	rate   int  // requests a second; 0 is as many as can be
	pinned bool // load and upstream on the other core
}

func settings() []setting {
	return []setting{
		{name: "one core, plain", cores: 1, pinned: true},
		{name: "one core, TLS", tls: true, cores: 1, pinned: true},
		{name: "two cores, plain", cores: 2},
		{name: "two cores, TLS", tls: true, cores: 2},
		{name: "2,000/s, plain", cores: 2, rate: 2000},
		{name: "2,000/s, TLS", tls: true, cores: 2, rate: 2000},
	}
}

type options struct {
	bins     []string
	rounds   int
	span     time.Duration
	only     string
	dir      string
	upstream string // its address
}

func main() {
	var o options
	flag.Func("bin", "a binary under test (bin/doorward); may be repeated", func(s string) error {
		o.bins = append(o.bins, s)
		return nil
	})
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of each setting")
	seconds := flag.Int("seconds", 2, "seconds of load in each round")
	flag.StringVar(&o.only, "only", "", "run only what has this in its name")
	flag.Parse()
	if o.bins == nil {
		o.bins = []string{"bin/doorward"}
	}
	o.span = time.Duration(*seconds) * time.Second
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o *options) run() (err error) {
	for _, tool := range []string{"nginx", "wrk", "taskset"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed; make tools installs it", tool)
		}
	}
	if o.dir, err = os.MkdirTemp("", "doorward-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(o.dir)
	if o.upstream, err = freeAddr(); err != nil {
		return err
	}
	if err := writeFiles(o.dir, o.upstream); err != nil {
		return err
	}
	fmt.Println("| setting | proxy | CPU µs/request | × nginx (least–greatest) | requests/s × nginx | p99 ms |\n|---|---|---|---|---|---|")
	for _, s := range settings() {
		if !strings.Contains(s.name, o.only) {
			continue
		}
		if err := o.compare(s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return o.footprint()
}

// compare makes the rows of one setting.
func (o *options) compare(s setting) error {
	up, err := startUpstream(o.dir, o.upstream, s)
	if err != nil {
		return err
	}
	defer up.stop()
	peer, err := startNGINX(o.dir, o.upstream, s)
	if err != nil {
		return err
	}
	defer peer.stop()
	peers := []*proxy{peer}
	for _, bin := range o.bins {
		p, err := startDoorward(bin, o.dir, s)
		if err != nil {
			return err
		}
		defer p.stop()
		peers = append(peers, p)
	}
	samples := make([][]sample, len(peers))
	for round := range o.rounds + 1 {
		for i := range peers {
			if round%2 == 1 {
				i = len(peers) - 1 - i
			}
			m, err := measure(peers[i], s, o.span)
			if err != nil {
				return fmt.Errorf("%s: %w", peers[i].name, err)
			}
			if round > 0 { // the first one warms up
				samples[i] = append(samples[i], m)
			}
		}
	}
	for i, p := range peers {
		cpu := ratios(samples[i], samples[0], func(m sample) float64 { return m.cpu })
		rate := ratios(samples[i], samples[0], func(m sample) float64 { return m.rate })
		fmt.Printf("| %s | %s | %.1f | %.2f (%.2f–%.2f) | %.2f | %.2f |\n", s.name, p.name,
			median(values(samples[i], func(m sample) float64 { return m.cpu })), median(cpu), slices.Min(cpu), slices.Max(cpu), median(rate),
			median(values(samples[i], func(m sample) float64 { return m.p99 })))
	}
	return nil
}

func values(samples []sample, of func(sample) float64) []float64 {
	out := make([]float64, len(samples))
	for i, m := range samples {
		out[i] = of(m)
	}
	return out
}

// ratios are those of each round.
func ratios(a, b []sample, of func(sample) float64) []float64 {
	out := values(a, of)
	for i, v := range values(b, of) {
		out[i] /= v
	}
	return out
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
