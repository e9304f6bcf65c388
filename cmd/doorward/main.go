// Command doorward puts applications behind one door: it runs the platform's
// Ingress and Istio manifests, unchanged, in one process.
package main

import (
	"os"

	"github.com/doorward/doorward/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
