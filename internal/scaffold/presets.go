package scaffold

import (
	"strconv"
	"strings"
	"time"
)

// Preset is an application that people run, and what is known of it.
type Preset struct {
	Name  string
	About string // what it is, for people
	// Fixed answers questions for good, by their keys; Default are the answers of those who
	// do not care.
	Fixed, Default map[string]string
	// Streams says that answers come bit by bit for as long as they last.
	Streams bool
	// Body is the size of uploads that it is made for, as proxy-body-size has it, and Silence
	// how long it may say nothing: what the platform's own Ingress must let through.
	Body    string
	Silence time.Duration

	workload func(*App) *workload
	// more are further manifests, by the names of their files.
	more func(*App) []resource
	// notes are what is left to do.
	notes func(*App) []string
}

// resource is a manifest of a preset.
type resource struct {
	name string
	page *pageOf
}

// Presets are those that doorward new knows, by name.
func Presets() []*Preset {
	return []*Preset{argoCD(), grafana(), jupyter(), kserve(), minio(), mlflow(), streamlit(), vllm()}
}

// PresetOf finds a preset; nil if there is none of that name.
func PresetOf(name string) *Preset {
	for _, p := range Presets() {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// BodyBytes is Body in bytes.
func (p *Preset) BodyBytes() int64 {
	number := strings.TrimRight(p.Body, "mg")
	n, _ := strconv.ParseInt(number, 10, 64) // of a constant of this package
	return n << map[string]int{"m": 20, "g": 30}[p.Body[len(number):]]
}

// is is the preset of an application; an empty one if it has none.
func (a *App) is() *Preset {
	if p := PresetOf(a.Preset); p != nil {
		return p
	}
	return &Preset{}
}

// Notes are what is left to do for an application.
func (a *App) Notes() []string {
	switch p := a.is(); {
	case p.notes != nil:
		return p.notes(a)
	case p.Name == "" && a.Prefix != "" && a.Told == BySetting:
		return []string{"set the application's own prefix to " + a.Prefix + ": it gets every path with it"}
	}
	return nil
}

// variable is one of a container's environment.
func variable(name string, value any) any { return tree("name", name, "value", value) }

// secret is one from a Secret, which must be made.
func secretVariable(name, secret, key string) any {
	return tree("name", name, "valueFrom", tree("secretKeyRef", tree("name", secret, "key", key)))
}

// volume mounts a claim, and is the volume for it.
func volume(claim, path string) (mount, volume any) {
	return tree("name", "data", "mountPath", path), tree("name", "data", "persistentVolumeClaim", tree("claimName", claim))
}

// claim is storage that outlives the Pod.
func (a *App) claim(size string) resource {
	return resource{"pvc.yaml", newPage("", tree("apiVersion", "v1", "kind", "PersistentVolumeClaim", "metadata", a.metadata(a.Name+"-data"),
		"spec", tree("accessModes", line("ReadWriteOnce"), "resources", tree("requests", tree("storage", size)))))}
}

const mountedOnce = "the volume can be mounted once"

// makeSecret is the command that makes a Secret with one random entry.
func (a *App) makeSecret(name, key string) string {
	return "kubectl create secret generic " + name + " -n " + a.Namespace + " --from-literal=" + key + "=$(openssl rand -hex 32)"
}
