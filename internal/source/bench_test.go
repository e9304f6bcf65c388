package source

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func BenchmarkLoadKubeflow(b *testing.B) {
	file := kubeflow(b, "rendered-networking.yaml")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Load(b.Context(), Options{Files: []string{file}}); err != nil {
			b.Fatal(err)
		}
	}
}

// manyRoutes is n VirtualServices as their authors write them.
func manyRoutes(n int) []byte {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: app-%d-vs
  namespace: app-%d
spec:
  gateways:
    - kubeflow/kubeflow-gateway
  hosts:
    - cluster.example.com
  http:
    - match:
        - uri:
            prefix: /app-%d/
      rewrite:
        uri: /
      route:
        - destination:
            host: app.app-%d.svc.cluster.local
            port:
              number: 80
`, i, i, i, i)
	}
	return []byte(b.String())
}

func BenchmarkLoad10000(b *testing.B) {
	opts := Options{Texts: []Text{{Name: "a.yaml", Data: manyRoutes(10_000)}}}
	b.SetBytes(int64(len(opts.Texts[0].Data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Load(b.Context(), opts); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReload10000 loads 10,000 files of which one has changed.
func BenchmarkReload10000(b *testing.B) {
	dir := b.TempDir()
	name := func(i int) string { return filepath.Join(dir, fmt.Sprintf("app-%d.yaml", i)) }
	texts := bytes.Split(manyRoutes(10_000), []byte("---\n"))[1:]
	for i, text := range texts {
		must(b, os.WriteFile(name(i), text, 0o600))
	}
	opts := Options{Files: []string{dir}, Kept: new(Kept)}
	if _, _, err := Load(b.Context(), opts); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		must(b, os.WriteFile(name(i%len(texts)), fmt.Appendf(nil, "%s# change %d\n", texts[i%len(texts)], i), 0o600))
		if _, _, err := Load(b.Context(), opts); err != nil {
			b.Fatal(err)
		}
	}
}
