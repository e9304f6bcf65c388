package source

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/doorward/doorward/internal/problem"
)

// kubeflow is the path of one of Kubeflow's rendered files, which lie beside
// the repository where it is developed.
func kubeflow(t testing.TB, name string) string {
	t.Helper()
	file := filepath.Join("..", "..", "..", "shared", "kubeflow", name)
	if _, err := os.Stat(file); err != nil {
		t.Skipf("Kubeflow's rendered objects are not here: %v", err)
	}
	return file
}

func TestKubeflowLoads(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(filepath.Dir(kubeflow(t, "rendered-networking.yaml")), "overlays", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("overlays: %v, %v", files, err)
	}
	files = append(files, kubeflow(t, "rendered-networking.yaml"))
	for _, file := range files {
		set, problems, err := Load(t.Context(), Options{Files: []string{file}})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for _, p := range problems {
			if p.Severity != problem.Info {
				t.Errorf("%s: false problem: %v", filepath.Base(file), p)
			} else {
				t.Log(p)
			}
		}
		if set.Len() == 0 {
			t.Errorf("%s: no objects", file)
		}
	}
}
