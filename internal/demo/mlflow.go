package demo

import "net/http"

// experiment is an entry of MLflow's tracking API.
type experiment struct {
	ID        string `json:"experiment_id"`
	Name      string `json:"name"`
	Artifacts string `json:"artifact_location"`
	Stage     string `json:"lifecycle_stage"`
}

// experiments are what the application knows; they never change.
func experiments() []experiment {
	return []experiment{
		{"0", "Default", "mlflow-artifacts:/0", "active"},
		{"1", "iris", "mlflow-artifacts:/1", "active"},
	}
}

// mlflow answers like a tracking server: a page for people, an API beside it.
func mlflow() *application {
	return &application{
		Name:  "MLflow",
		About: "Stands for a tracking server: told its prefix by a header, with an API beside its pages.",
		Try:   []link{{"api/2.0/mlflow/experiments/search", "The tracking API"}, {"experiments/1", "An experiment"}},
		Page:  page(mlflowContent),
		Data:  func(*http.Request) any { return experiments() },
		Routes: func(mux *http.ServeMux) {
			mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("OK")) })
			search := func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, http.StatusOK, map[string][]experiment{"experiments": experiments()})
			}
			mux.HandleFunc("GET /api/2.0/mlflow/experiments/search", search)
			mux.HandleFunc("POST /api/2.0/mlflow/experiments/search", search)
		},
	}
}

const mlflowContent = `<section aria-labelledby="experiments">
<h2 id="experiments">Experiments</h2>
<ul class="links">{{range .Shown}}<li><a href="{{$.Root}}experiments/{{.ID}}">{{.Name}}</a> <code>{{.Artifacts}}</code></li>{{end}}</ul>
</section>`
