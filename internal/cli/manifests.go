package cli

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/source"
)

// manifests are the flags that say what is compiled. All verbs that compile
// have them, and so read the same.
type manifests struct {
	files, kustomizations, endpoints, classes []string
}

// bind adds the flags to a verb.
func (m *manifests) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVarP(&m.files, "filename", "f", nil, "manifests: a file, a directory with all below it, or - for standard input; may be repeated")
	f.StringArrayVarP(&m.kustomizations, "kustomize", "k", nil, "a directory with a kustomization.yaml, built as kubectl does; may be repeated")
	f.StringArrayVar(&m.endpoints, "endpoint", nil, "attach a local process to a Service: NAMESPACE/SERVICE:PORT=HOST:PORT[,LABEL=VALUE...]; may be repeated")
	f.StringSliceVar(&m.classes, "ingress-class", nil, "ingress classes that are served without an IngressClass object, joined by commas")
	_ = cmd.MarkFlagDirname("kustomize") // the flag is there
}

// read makes sense of the flags. Its errors are usage errors.
func (m *manifests) read(cmd *cobra.Command) (server.Manifests, error) {
	if len(m.files)+len(m.kustomizations) == 0 {
		return server.Manifests{}, misused("no manifests are named; give files or directories with -f, as in -f ./manifests, or a kustomization with -k")
	}
	opts := server.Manifests{
		Source:  source.Options{Files: m.files, Kustomizations: m.kustomizations, Stdin: cmd.InOrStdin()},
		Compile: compile.Options{IngressClasses: m.classes},
	}
	for _, text := range m.endpoints {
		a, err := parseEndpoint(text)
		if err != nil {
			return server.Manifests{}, misused("--endpoint %s: %w; write NAMESPACE/SERVICE:PORT=HOST:PORT, as in --endpoint myapp/myapp-service:80=127.0.0.1:8000", text, err)
		}
		opts.Compile.Endpoints = append(opts.Compile.Endpoints, a)
	}
	return opts, nil
}

// parseEndpoint reads NAMESPACE/SERVICE:PORT=HOST:PORT[,LABEL=VALUE...].
func parseEndpoint(text string) (compile.Attached, error) {
	where, what, ok := strings.Cut(text, "=")
	if !ok {
		return compile.Attached{}, fmt.Errorf(`it has no "="`)
	}
	namespace, service, port, err := parseServicePort(where)
	if err != nil {
		return compile.Attached{}, err
	}
	parts := strings.Split(what, ",")
	a := compile.Attached{Namespace: namespace, Service: service, Port: port, Address: parts[0]}
	if err := checkAddress(a.Address, false); err != nil {
		return compile.Attached{}, err
	}
	for _, label := range parts[1:] {
		k, v, ok := strings.Cut(label, "=")
		if !ok || k == "" {
			return compile.Attached{}, fmt.Errorf("%q is not LABEL=VALUE", label)
		}
		if a.Labels == nil {
			a.Labels = map[string]string{}
		}
		a.Labels[k] = v
	}
	return a, nil
}

// parseServicePort reads NAMESPACE/SERVICE:PORT.
func parseServicePort(text string) (namespace, service, port string, err error) {
	namespace, rest, ok := strings.Cut(text, "/")
	service, port, ok2 := strings.Cut(rest, ":")
	if !ok || !ok2 || namespace == "" || service == "" || port == "" || strings.ContainsAny(rest, "/") {
		return "", "", "", fmt.Errorf("%q is not NAMESPACE/SERVICE:PORT", text)
	}
	return namespace, service, port, nil
}

// checkAddress tells what is wrong with HOST:PORT. An address to listen on may
// leave out the host, and its port may be 0, which is any free one.
func checkAddress(address string, listen bool) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not HOST:PORT", address)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 && !listen {
		return fmt.Errorf("%q is no port from 1 to 65535", port)
	}
	if host == "" && !listen {
		return fmt.Errorf("%q has no host", address)
	}
	return nil
}
