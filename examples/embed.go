// Package examples holds manifests to learn from and to run: paas is a whole platform, two
// gateways and four applications, in the layout that its engineers know; localhost is the
// same platform under names that resolve to one's own machine, with a start page; login is that,
// behind a login.
//
// They serve three readers: a newcomer, who may copy them; kubectl apply -k, on a real cluster;
// and doorward demo, which carries them inside the binary.
package examples

import "embed"

// PaaS holds the folders paas, localhost and login. The kustomization of all that runs in
// production is in "paas", the one for a single machine in "localhost", and with a login in "login".
//
//go:embed all:paas all:localhost all:login
var PaaS embed.FS
