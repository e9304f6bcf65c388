package scaffold

import (
	"strings"
	"time"
)

// The presets for people: each serves its prefix itself, or is told of it, as its own
// documentation says.

// jupyter is Jupyter Server (jupyter-server.readthedocs.io, "Running a public Jupyter
// Server") in an image of Jupyter's docker-stacks.
func jupyter() *Preset {
	return &Preset{
		Name: "jupyter", About: "JupyterLab, one server for one person",
		Fixed:   map[string]string{"place": "prefix", "told": "setting", "runs": "image", "container-port": "8888"},
		Default: map[string]string{"image": "quay.io/jupyter/minimal-notebook:2025-11-20"},
		Body:    "100m", Silence: time.Minute,
		workload: func(a *App) *workload {
			mount, vol := volume(a.Name+"-data", "/home/jovyan")
			w := &workload{user: 1000, probe: a.Prefix + "/api", once: mountedOnce, cpu: "500m", memory: "1Gi", most: "4Gi",
				args: []any{
					"start-notebook.py",
					why("--ServerApp.base_url="+a.Prefix+"/", "it serves its prefix itself: the route must not take it off"),
					why("--ServerApp.trust_xheaders=True", "it stands behind proxies, which tell the scheme and the client's address"),
				},
				mounts: []any{mount}, volumes: []any{vol}}
			if a.ownDoor() {
				w.env = []any{secretVariable("JUPYTER_TOKEN", a.Name+"-token", "token")}
			} else {
				w.args = append(w.args, why("--IdentityProvider.token=", "no second login: only who is logged in at the platform gets here, by the gateway alone"))
			}
			return w
		},
		more: func(a *App) []resource { return []resource{a.claim("10Gi")} },
		notes: func(a *App) []string {
			if a.ownDoor() {
				return []string{a.makeSecret(a.Name+"-token", "token") + "  makes the token that Jupyter asks for"}
			}
			return []string{"everybody who can log in at the platform runs code here as one user: narrow base/authorizationpolicy.yaml to whom it is for"}
		},
	}
}

// ownDoor tells whether others than those who are logged in may reach the application, for
// all that is known of the platform, so that it must ask for a password of its own.
func (a *App) ownDoor() bool { return a.Access != ByLogin || !a.Sidecar || !a.Platform.Shut }

// mlflow is the tracking server (mlflow.org, "Protect Your Tracking Server from Network
// Exposure"). Its pages link relatively, so that the prefix can be taken off.
func mlflow() *Preset {
	return &Preset{
		Name: "mlflow", About: "MLflow tracking server and its artifacts",
		Fixed:   map[string]string{"place": "prefix", "told": "header", "runs": "image", "container-port": "5000"},
		Default: map[string]string{"image": "ghcr.io/mlflow/mlflow:v3.10.1"},
		Body:    "1g", Silence: 5 * time.Minute,
		workload: func(a *App) *workload {
			mount, vol := volume(a.Name+"-data", "/data")
			inside := a.Service + "." + a.Namespace
			return &workload{user: 65532, probe: "/health", once: "two servers must not write one SQLite file", cpu: "100m", memory: "512Mi", most: "2Gi",
				command: []any{"mlflow", "server"},
				args: []any{
					"--host=0.0.0.0", "--port=5000",
					above("No --static-prefix: the route takes the prefix off. Programs use "+strings.TrimSuffix(a.address(), "/x")+" as tracking URI.", "--backend-store-uri=sqlite:////data/mlflow.db"),
					"--serve-artifacts", "--artifacts-destination=/data/artifacts",
					above("Since 3.5 it answers 403 to other Host headers, and to pages of other origins: these are the platform's, and its Service's.",
						"--allowed-hosts="+strings.Join([]string{a.Platform.Host, inside, inside + ".svc.cluster.local"}, ",")),
					"--cors-allowed-origins=https://" + a.Platform.Host,
				},
				mounts: []any{mount, tree("name", "tmp", "mountPath", "/tmp")}, volumes: []any{vol, tree("name", "tmp", "emptyDir", tree())}}
		},
		more: func(a *App) []resource { return []resource{a.claim("20Gi")} },
	}
}

// grafana is Grafana (grafana.com, "Run Grafana behind a reverse proxy", "Configure auth
// proxy authentication").
func grafana() *Preset {
	return &Preset{
		Name: "grafana", About: "Grafana",
		Fixed:   map[string]string{"place": "prefix", "told": "setting", "runs": "image", "container-port": "3000"},
		Default: map[string]string{"image": "docker.io/grafana/grafana:12.3.1"},
		Silence: time.Minute,
		workload: func(a *App) *workload {
			mount, vol := volume(a.Name+"-data", "/var/lib/grafana")
			w := &workload{user: 472, probe: a.Prefix + "/api/health", once: "two servers must not write one SQLite file", cpu: "100m", memory: "256Mi", most: "1Gi",
				env: []any{
					tree("name", "GF_SERVER_ROOT_URL", "value", why("https://"+a.Platform.Host+a.Prefix+"/", "for links, redirects, and the Origin that its WebSocket takes")),
					tree("name", "GF_SERVER_SERVE_FROM_SUB_PATH", "value", why("true", "it serves its prefix itself: the route must not take it off")),
					secretVariable("GF_SECURITY_ADMIN_PASSWORD", a.Name+"-admin", "password"),
				},
				mounts: []any{mount}, volumes: []any{vol}}
			if h := a.Platform.UserHeader; h != "" && !a.ownDoor() {
				w.env = append(w.env,
					above("No second login: the gateway writes who is logged in into this header, and nobody but the gateway gets here.",
						tree("name", "GF_AUTH_PROXY_ENABLED", "value", "true")),
					variable("GF_AUTH_PROXY_HEADER_NAME", h),
					variable("GF_AUTH_PROXY_HEADER_PROPERTY", "email"))
			}
			return w
		},
		more: func(a *App) []resource { return []resource{a.claim("10Gi")} },
		notes: func(a *App) []string {
			return []string{a.makeSecret(a.Name+"-admin", "password") + "  makes the password of Grafana's user admin"}
		},
	}
}

// streamlit is an application made with Streamlit (docs.streamlit.io, config.toml): each
// setting has a variable of the environment.
func streamlit() *Preset {
	return &Preset{
		Name: "streamlit", About: "an application made with Streamlit",
		Fixed: map[string]string{"place": "prefix", "told": "setting", "runs": "image", "container-port": "8501"},
		Body:  "200m", Silence: time.Minute,
		workload: func(a *App) *workload {
			return &workload{probe: a.Prefix + "/_stcore/health", cpu: "100m", memory: "256Mi", most: "1Gi", resourcesAbove: aGuess,
				env: []any{
					tree("name", "STREAMLIT_SERVER_BASE_URL_PATH", "value", why(a.Prefix[1:], "it serves its prefix itself, WebSocket and all: the route must not take it off")),
					variable("STREAMLIT_SERVER_PORT", "8501"),
					tree("name", "STREAMLIT_SERVER_HEADLESS", "value", why("true", "it opens no browser and asks nothing")),
					variable("STREAMLIT_BROWSER_GATHER_USAGE_STATS", "false"),
					tree("name", "STREAMLIT_SERVER_MAX_UPLOAD_SIZE", "value", why("200", "MB; the platform's Ingress must let as much through")),
				}}
		},
	}
}

// argoCD is Argo CD, which is installed already (argo-cd.readthedocs.io, "Ingress
// Configuration", argocd-cmd-params-cm).
func argoCD() *Preset {
	return &Preset{
		Name: "argocd", About: "Argo CD, which is installed already",
		Fixed:   map[string]string{"place": "prefix", "told": "setting", "runs": "service"},
		Default: map[string]string{"service": "argocd-server:80", "namespace": "argocd", "access": "own", "sidecar": "no"},
		Silence: time.Minute,
		more: func(a *App) []resource {
			settings := func(name string, data ...any) any {
				return tree("apiVersion", "v1", "kind", "ConfigMap",
					"metadata", tree("name", name, "namespace", a.Namespace,
						"labels", tree("app.kubernetes.io/name", name, "app.kubernetes.io/part-of", "argocd")),
					"data", tree(data...))
			}
			return []resource{{"settings.yaml", newPage(
				"What Argo CD must know of its way in. Its installation brings these two ConfigMaps, empty: if a kustomization of yours installs it,\n"+
					"move this there, as patches, for two owners of one object undo each other. Restart argocd-server after a change.",
				node(settings("argocd-cmd-params-cm",
					"server.rootpath", why(a.Prefix, "it serves its prefix itself: the route must not take it off"),
					"server.insecure", why("true", "plain HTTP inside: TLS ends at the edge, and with TLS here too it redirects for ever"))),
				node(settings("argocd-cm",
					"url", why("https://"+a.Platform.Host+a.Prefix, "where its own login comes back to"))))}}
		},
		notes: func(a *App) []string {
			return []string{"argocd login " + a.Platform.Host + " --grpc-web --grpc-web-root-path " + a.Prefix +
				"  is how programs log in: gRPC does not pass the edge as such"}
		},
	}
}
