package source

import (
	"fmt"
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
