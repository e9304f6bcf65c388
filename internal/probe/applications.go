package probe

import (
	"net/http"
	"strings"
)

// Application is one that is known by its answers, and how it learns its prefix. In
// Setting, PREFIX is "/myapp" and HOST the page's.
type Application struct {
	Name    string
	Setting string
	// Serves tells that with the setting it serves the prefix itself: the route must
	// not take it off.
	Serves bool

	header string // NAME: a part of its value
	title  string // a part of the page's title
	marker string // a part of the page
}

// applications are those that people run. Their settings are those of their own
// documentation.
func applications() []Application {
	return []Application{
		{Name: "JupyterLab", title: "JupyterLab", marker: "jupyter-config-data", Setting: "--ServerApp.base_url=PREFIX/", Serves: true},
		{Name: "Jupyter", marker: "data-base-url=", Setting: "--ServerApp.base_url=PREFIX/", Serves: true},
		{Name: "MLflow", title: "MLflow", Setting: "mlflow server without --static-prefix where the prefix is taken off; with --static-prefix=PREFIX where it is not"},
		{Name: "Grafana", title: "Grafana", marker: "grafanaBootData", Setting: "GF_SERVER_ROOT_URL=https://HOSTPREFIX/ and GF_SERVER_SERVE_FROM_SUB_PATH=true", Serves: true},
		{Name: "MinIO", header: "Server: MinIO", title: "MinIO Console", Setting: "MINIO_BROWSER_REDIRECT_URL=https://HOSTPREFIX/; the S3 API needs a host of its own"},
		{Name: "Argo CD", title: "Argo CD", Setting: "server.rootpath: PREFIX in ConfigMap argocd-cmd-params-cm", Serves: true},
		{Name: "Streamlit", title: "Streamlit", marker: "stStreamlit", Setting: "STREAMLIT_SERVER_BASE_URL_PATH=PREFIX", Serves: true},
		{Name: "TensorBoard", title: "TensorBoard", Setting: "--path_prefix=PREFIX", Serves: true},
		{Name: "Gradio", marker: "gradio_config", Setting: "GRADIO_ROOT_PATH=https://HOSTPREFIX"},
		{Name: "FastAPI", title: "Swagger UI", Setting: "uvicorn --root-path PREFIX (vLLM: --root-path=PREFIX)"},
		{Name: "vLLM", header: "Server: uvicorn", title: "vLLM", Setting: "--root-path=PREFIX"},
		{Name: "Dash", marker: "_dash-config", Setting: "DASH_REQUESTS_PATHNAME_PREFIX=PREFIX/"},
		{Name: "Airflow", title: "Airflow", Setting: "AIRFLOW__API__BASE_URL=https://HOSTPREFIX", Serves: true},
		{Name: "Prometheus", title: "Prometheus", Setting: "--web.external-url=https://HOSTPREFIX/ --web.route-prefix=/"},
	}
}

// Recognise tells which application has made an answer; the zero one if it is unknown.
func Recognise(h http.Header, title string, body []byte) Application {
	text := string(body)
	for _, a := range applications() {
		if a.header != "" {
			name, part, _ := strings.Cut(a.header, ": ")
			if strings.Contains(strings.ToLower(h.Get(name)), strings.ToLower(part)) && (a.title == "" || a.Name == "MinIO" || strings.Contains(title, a.title)) {
				return a
			}
			continue
		}
		if a.title != "" && strings.Contains(title, a.title) || a.marker != "" && strings.Contains(text, a.marker) {
			return a
		}
	}
	return Application{}
}

// setting is what the application must be told.
func (a *Application) setting(prefix, host string) string {
	prefix = strings.TrimSuffix(prefix, "/")
	return a.Name + ": " + strings.NewReplacer("PREFIX", prefix, "HOST", host).Replace(a.Setting)
}
