// Command bench measures Doorward beside nginx in one run: CPU per proxied
// request, throughput and the 99th percentile, plain and over TLS, saturated on
// one core and on two, and at a fixed rate.
//
//	go run ./hack/bench -bin bin/doorward [-rounds 5] [-seconds 2] [-only 'one core']
//
// Both proxies stand in turn in front of the same upstream (nginx answering
// 1 KiB from memory) under the same load (wrk, or the paced client of this
// program). Rounds interleave them and turn the order around; the table shows
// medians and the median of each round's ratio. CPU is user and system time of
// all processes of the proxy, from /proc, over the requests that the load
// counted. Doorward has 1,000 routes loaded (100 hosts with 10 prefixes each),
// metrics on and the access log off, and walks edge and gateway; nginx is a
// plain proxy hop with a keep-alive upstream.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// setting is one row of the table.
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

func main() {
	bin := flag.String("bin", "bin/doorward", "the binary under test")
	rounds := flag.Int("rounds", 5, "rounds of each setting")
	seconds := flag.Float64("seconds", 2, "seconds of load in each round")
	only := flag.String("only", "", "run only the settings whose name contains this")
	flag.Parse()
	if err := run(*bin, *rounds, time.Duration(*seconds*float64(time.Second)), *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(bin string, rounds int, span time.Duration, only string) error {
	for _, tool := range []string{"nginx", "wrk", "taskset"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed; make tools installs it", tool)
		}
	}
	dir, err := os.MkdirTemp("", "doorward-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Printf("| setting | nginx µs/request | doorward µs/request | CPU ratio | throughput ratio | p99 nginx | p99 doorward |\n|---|---|---|---|---|---|---|\n")
	for _, s := range settings() {
		if !strings.Contains(s.name, only) {
			continue
		}
		if err := s.run(bin, dir, rounds, span); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

func (s setting) run(bin, dir string, rounds int, span time.Duration) error {
	up, err := startUpstream(dir, s)
	if err != nil {
		return err
	}
	defer up.stop()
	peers := [2]*proxy{}
	if peers[0], err = startNGINX(dir, s); err != nil {
		return err
	}
	defer peers[0].stop()
	if peers[1], err = startDoorward(bin, dir, s); err != nil {
		return err
	}
	defer peers[1].stop()
	var cpu, rps, p99 [2][]float64
	for round := range rounds + 1 {
		for i := range 2 {
			k := (i + round) % 2
			m, err := measure(peers[k], s, span)
			if err != nil {
				return fmt.Errorf("%s: %w", peers[k].name, err)
			}
			if round == 0 {
				continue // warm-up
			}
			cpu[k], rps[k], p99[k] = append(cpu[k], m.cpu), append(rps[k], m.rate), append(p99[k], m.p99)
		}
	}
	fmt.Printf("| %s | %.1f | %.1f | %.2f | %.2f | %.2f ms | %.2f ms |\n", s.name, median(cpu[0]), median(cpu[1]),
		median(ratios(cpu[1], cpu[0])), median(ratios(rps[1], rps[0])), median(p99[0]), median(p99[1]))
	return nil
}
