package scaffold

import (
	"strings"
	"time"
)

// The presets whose requests come from programs as well.

// minio is MinIO (docs.min.io, "Configure NGINX Proxy for MinIO Server"): its console and
// its S3 API on a host each. Requests of S3 are signed with host and path, so nothing on
// their way may change either.
func minio() *Preset {
	return &Preset{
		Name: "minio", About: "MinIO: console and S3 API, each on a host of its own",
		Fixed:   map[string]string{"place": "host", "runs": "image", "container-port": "9001"},
		Default: map[string]string{"image": "quay.io/minio/minio:RELEASE.2025-04-22T22-12-26Z", "access": "own"},
		workload: func(a *App) *workload {
			mount, vol := volume(a.Name+"-data", "/data")
			return &workload{user: 65532, probe: "/minio/health/ready", probeAt: "s3", once: mountedOnce, cpu: "100m", memory: "512Mi", most: "2Gi",
				args: []any{"server", "/data", "--console-address=:9001"},
				env: []any{
					tree("name", "MINIO_BROWSER_REDIRECT_URL", "value", why("https://"+a.Host, "where the console is seen, and where its login comes back to")),
					tree("name", "MINIO_SERVER_URL", "value", why("https://"+a.s3Host(), "the host in links that it signs; it must reach that itself, so DNS and certificate come first")),
				},
				envFrom: items(above("Keys MINIO_ROOT_USER and MINIO_ROOT_PASSWORD; for a login with OpenID Connect MINIO_IDENTITY_OPENID_* too.",
					tree("secretRef", tree("name", a.Name+"-root")))),
				ports:  []any{tree("name", "s3", "containerPort", 9000)},
				mounts: []any{mount}, volumes: []any{vol}}
		},
		more: func(a *App) []resource {
			return []resource{a.claim("100Gi"), {"ingress-s3.yaml", newPage(
				"https://"+a.s3Host()+", the S3 API. Its requests are signed with host and path: no rewrite, and no prefix, ever.",
				a.ingressOf(a.Name+"-s3-ingress", a.s3Host(), a.Name+"-s3-tls-cert", 9000, false))}}
		},
		notes: func(a *App) []string {
			return []string{"kubectl create secret generic " + a.Name + "-root -n " + a.Namespace + " --from-literal=MINIO_ROOT_USER=root --from-literal=MINIO_ROOT_PASSWORD=$(openssl rand -hex 32)",
				"DNS names " + a.Host + " and " + a.s3Host() + " must lead to the Ingress controller"}
		},
	}
}

// s3Host is where programs talk S3.
func (a *App) s3Host() string { return "s3." + a.Host }

// kserve is an InferenceService of KServe that is there, in its Standard (formerly
// RawDeployment) mode: a plain Service called NAME-predictor.
func kserve() *Preset {
	return &Preset{
		Name: "kserve", About: "a model of KServe (Standard mode), whose InferenceService is there already",
		Fixed:   map[string]string{"place": "prefix", "told": "nothing", "runs": "service"},
		Default: map[string]string{"service": "%(name)-predictor:80", "access": "programs"},
		Streams: true, Body: "100m", Silence: 5 * time.Minute,
		notes: func(a *App) []string {
			return []string{"in KServe's Knative mode requests go another way: to knative-local-gateway.istio-system.svc.cluster.local, with " +
				"rewrite: {uri: /, authority: " + a.Service + "." + a.Namespace + ".svc.cluster.local}"}
		},
	}
}

// vllm is vLLM's server of OpenAI's API (docs.vllm.ai, "Using Kubernetes",
// "OpenAI-Compatible Server").
func vllm() *Preset {
	return &Preset{
		Name: "vllm", About: "a language model behind OpenAI's API, on a GPU",
		Fixed:   map[string]string{"place": "prefix", "told": "nothing", "runs": "image", "container-port": "8000"},
		Default: map[string]string{"image": "docker.io/vllm/vllm-openai:v0.13.0", "access": "programs"},
		Streams: true, Body: "100m", Silence: 10 * time.Minute,
		workload: func(a *App) *workload {
			mount, vol := volume(a.Name+"-data", "/data")
			return &workload{user: 65532, probe: "/health", slow: true, once: "one Pod has the GPU, and the volume can be mounted once", cpu: "4", memory: "16Gi", most: "32Gi",
				limits: []any{"nvidia.com/gpu", 1},
				args: []any{
					"--model=" + a.Model,
					"--port=8000",
					why("--root-path="+strings.TrimSuffix(a.Prefix, "/"), "for the links of its own documentation; the route takes the prefix off"),
				},
				env: []any{
					above("Without it whoever gets here may use the GPU: this gateway asks for no login.", secretVariable("VLLM_API_KEY", a.Name+"-api-key", "key")),
					tree("name", "HF_HOME", "value", why("/data/huggingface", "the weights, which outlive the Pod")),
					tree("name", "HOME", "value", why("/data", "caches: the image is made for root, and this is not root")),
					tree("name", "USER", "value", "vllm"),
				},
				mounts:  []any{mount, tree("name", "shm", "mountPath", "/dev/shm")},
				volumes: []any{vol, above("What its processes share; the default of 64 MiB is too little.", tree("name", "shm", "emptyDir", tree("medium", "Memory", "sizeLimit", "2Gi")))}}
		},
		more: func(a *App) []resource { return []resource{a.claim("100Gi")} },
		notes: func(a *App) []string {
			return []string{a.makeSecret(a.Name+"-api-key", "key") + "  makes the key that programs must show, as Authorization: Bearer KEY"}
		},
	}
}
