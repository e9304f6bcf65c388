// Package check judges manifests beyond what compiling them tells.
//
// A check is one value: the code of what it reports, and a function that looks
// at the objects and at the plan made of them. Each stands in the file of its
// subject, is listed in All, and has a story in testdata that raises it and one
// that does not. What compile reports is not reported again here.
//
// Checks read the plan rather than the manifests wherever they can: a route that
// is in the plan has its gateways, delegates, ports and order worked out, and
// what a check says of it is what requests meet.
//
// The package is pure, like compile: equal objects give equal findings.
package check
