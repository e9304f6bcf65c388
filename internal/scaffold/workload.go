package scaffold

import "go.yaml.in/yaml/v3"

// workload is what the container of an application needs.
type workload struct {
	command, args, env []any
	envFrom            *yaml.Node
	// probe is a path that answers 200 once the application serves, at the port probeAt,
	// which is http if it is ""; without a path it is asked whether the port is open.
	probe, probeAt string
	// user is who it runs as; 0 is who its image says.
	user int
	// once says why two Pods must not run at a time; "" if they may.
	once           string
	cpu, memory    string // that it asks for
	most           string // memory that it may have
	limits         []any  // others
	mounts         []any
	volumes        []any
	ports          []any // beside http
	slow           bool  // to start: minutes
	resourcesAbove string
}

// plainWorkload is the workload of which nothing is known but its image.
func (a *App) plainWorkload() *workload {
	return &workload{cpu: "100m", memory: "128Mi", most: "512Mi", resourcesAbove: aGuess}
}

const aGuess = "A guess: look at what it takes, and say so here."

// deployment runs the image, with what Kubernetes calls restricted: not as root, without
// privileges.
func (a *App) deployment() *pageOf {
	if a.Image == "" {
		return nil
	}
	w := a.plainWorkload()
	if p := a.is(); p.workload != nil {
		w = p.workload(a)
	}
	labels := func() *yaml.Node { return tree("app", a.Name) }
	var strategy any
	if w.once != "" {
		strategy = tree("type", why("Recreate", w.once))
	}
	return newPage("", tree("apiVersion", "apps/v1", "kind", "Deployment", "metadata", a.metadata(a.Name),
		"spec", tree(
			"strategy", strategy,
			"selector", tree("matchLabels", labels()),
			"template", tree(
				"metadata", tree("labels", tree("app", why(a.Name, "what the Service selects"))),
				"spec", tree(
					"securityContext", w.podSecurity(),
					"containers", items(a.container(w)),
					"volumes", nonEmpty(w.volumes))))))
}

func (w *workload) podSecurity() *yaml.Node {
	n := tree("runAsNonRoot", why(true, "an image that runs as root does not start: name a user then, as runAsUser: 65532"))
	if w.user != 0 {
		n = tree("runAsNonRoot", true, "runAsUser", w.user, "fsGroup", w.user)
	}
	n.Content = append(n.Content, tree("seccompProfile", tree("type", "RuntimeDefault")).Content...)
	return n
}

func (a *App) container(w *workload) *yaml.Node {
	image, _, _ := splitImage(a.Image)
	ports := append([]any{tree("name", "http", "containerPort", a.TargetPort)}, w.ports...)
	limits := tree(append([]any{"memory", w.most}, w.limits...)...)
	var resources any = tree("requests", tree("cpu", w.cpu, "memory", w.memory), "limits", limits)
	if w.resourcesAbove != "" {
		resources = above(w.resourcesAbove, resources)
	}
	var startup any
	if w.slow {
		startup = above("Loading takes minutes: up to an hour, before the probe below counts.",
			tree("httpGet", w.get(), "periodSeconds", 10, "failureThreshold", 360))
	}
	return tree(
		"name", a.Name,
		"image", why(image, "the version is in overlays/production"),
		"command", nonEmpty(w.command),
		"args", nonEmpty(w.args),
		"env", nonEmpty(w.env),
		"envFrom", orNil(w.envFrom),
		"ports", items(ports...),
		"startupProbe", startup,
		"readinessProbe", w.readiness(),
		"resources", resources,
		"volumeMounts", nonEmpty(w.mounts),
		"securityContext", tree("allowPrivilegeEscalation", false, "capabilities", tree("drop", line("ALL"))))
}

func (w *workload) readiness() any {
	if w.probe == "" {
		return above("Whether the port is open. Better is httpGet with a path that answers 200 once it serves.",
			tree("tcpSocket", tree("port", "http")))
	}
	return tree("httpGet", w.get())
}

func (w *workload) get() any {
	if w.probeAt == "" {
		return tree("path", w.probe, "port", "http")
	}
	return tree("path", w.probe, "port", w.probeAt)
}

// nonEmpty is a list, or nothing.
func nonEmpty(values []any) any {
	if len(values) == 0 {
		return nil
	}
	return items(values...)
}

func orNil(n *yaml.Node) any {
	if n == nil {
		return nil
	}
	return n
}
