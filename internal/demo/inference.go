package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// inference answers like a model server that speaks the V1 protocol. It is
// told no prefix, so it is configured with one.
func inference() *application {
	return &application{
		Name: "Inference", Prefix: "/serving/iris",
		About: "Stands for a model server: called by programs, without a login, through the cluster-local gateway.",
		Try:   []link{{"v1/models/iris", "Is the model ready?"}},
		Page:  page(inferenceContent),
		Routes: func(mux *http.ServeMux) {
			mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, http.StatusOK, map[string][]string{"models": {"iris"}})
			})
			mux.HandleFunc("GET /v1/models/iris", func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, http.StatusOK, map[string]any{"name": "iris", "ready": true})
			})
			mux.HandleFunc("POST /v1/models/iris:predict", predict)
		},
	}
}

const inferenceContent = `<section aria-labelledby="predict">
<h2 id="predict">Ask the model</h2>
<p><code>curl -k https://{{.Host}}{{.Root}}v1/models/iris:predict -d '{"instances": [[6.8, 2.8, 4.8, 1.4]]}'</code></p>
</section>`

// flower is sepal length and width, petal length and width, in cm.
type flower []float64

// species is the class of a flower by the two well-known cuts through the iris
// data: 0 setosa, 1 versicolor, 2 virginica.
func (f flower) species() int {
	petalLength, petalWidth := f[2], f[3]
	switch {
	case petalLength < 2.45:
		return 0
	case petalWidth < 1.75:
		return 1
	}
	return 2
}

func predict(w http.ResponseWriter, r *http.Request) {
	classes, err := classify(json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)))
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string][]int{"predictions": classes})
}

func classify(from *json.Decoder) ([]int, error) {
	var asked struct {
		Instances []flower `json:"instances"`
	}
	if err := from.Decode(&asked); err != nil {
		return nil, fmt.Errorf("the body is not {\"instances\": [[...]]}: %w", err)
	}
	if len(asked.Instances) == 0 {
		return nil, errors.New("there are no instances")
	}
	classes := []int{}
	for i, f := range asked.Instances {
		if len(f) != 4 {
			return nil, fmt.Errorf("instance %d has %d numbers, want 4: sepal length and width, petal length and width", i, len(f))
		}
		classes = append(classes, f.species())
	}
	return classes, nil
}
