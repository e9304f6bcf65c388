package scaffold

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// App is an application as its author describes it, and how it is to be reached: the
// answers to the questions of `doorward new`.
type App struct {
	// Name is a DNS label. Its objects are named after it.
	Name      string
	Namespace string
	// Prefix is the path that it has on the platform's host, as "/myapp"; or
	Prefix string
	// Host is one of its own, with an Ingress of its own that leads past the gateways.
	Host string
	// Told is how it learns Prefix.
	Told Told
	// Access is who comes in.
	Access Access
	// Sidecar puts its Pods into the mesh, where everything is denied that no policy allows.
	Sidecar bool
	// Image is what it runs, with a tag or a digest; "" for an application whose workload and
	// Service are there already.
	Image string
	// TargetPort is where its container listens.
	TargetPort int
	// Service and Port are the Service that requests go to.
	Service string
	Port    int
	// Preset is the name of what it is, if it is one of Presets.
	Preset string
	// Remove are headers that its clients could fill as if the platform's login had.
	Remove []string
	// Model is what a preset that serves a model loads.
	Model string

	Platform Platform
}

// Told is how an application learns the prefix that it is seen under.
type Told string

const (
	// ByHeader: the prefix is taken off the path, and X-Forwarded-Prefix tells it.
	ByHeader Told = "header"
	// ByNothing: the prefix is taken off, for applications whose links are relative.
	ByNothing Told = "nothing"
	// BySetting: the application serves the prefix itself, so it stays in the path.
	BySetting Told = "setting"
)

// Access is who comes in, and who decides it.
type Access string

const (
	// ByLogin: whoever is logged in at the platform.
	ByLogin Access = "login"
	// Public: everybody.
	Public Access = "public"
	// Own: the application has a login of its own.
	Own Access = "own"
	// Programs: programs, through the gateway that has no login.
	Programs Access = "programs"
)

// Exempt tells whether the gateway's policies must leave the application out.
func (a *App) Exempt() bool { return a.Prefix != "" && (a.Access == Public || a.Access == Own) }

// File is one that is written.
type File struct {
	Name string // below the application's directory, with slashes
	Text string
}

// Files are the manifests of the application: base and overlays/production.
func (a *App) Files() ([]File, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	var files []File
	add := func(name string, p *pageOf) {
		if p != nil {
			files = append(files, File{name, p.text})
		}
	}
	base := []resource{
		{"ns.yaml", a.namespace()},
		{"deployment.yaml", a.deployment()},
		{"service.yaml", a.service()},
		{"virtualservice.yaml", a.virtualService()},
		{"ingress.yaml", a.ingress()},
		{"authorizationpolicy.yaml", a.authorizationPolicy()},
	}
	if p := a.is(); p.more != nil {
		base = append(base, p.more(a)...)
	}
	var resources []any
	for _, b := range base {
		add("base/"+b.name, b.page)
		if b.page != nil {
			resources = append(resources, b.name)
		}
	}
	add("base/kustomization.yaml", a.base(resources))
	add("overlays/production/kustomization.yaml", a.production())
	slices.SortStableFunc(files, func(x, y File) int { return strings.Compare(x.Name, y.Name) })
	return files, nil
}

// Validate tells what is wrong with the answers, all of it.
func (a *App) Validate() error {
	errs := []error{CheckName(a.Name), CheckNamespace(a.Namespace), CheckPort(a.Port), CheckService(a.Service), checkObject("ingress class", a.Platform.IngressClass)}
	switch {
	case a.Prefix == "" && a.Host == "":
		errs = append(errs, errors.New("there is neither a prefix nor a host"))
	case a.Prefix != "" && a.Host != "":
		errs = append(errs, errors.New("there is a prefix and a host; an application has one of them"))
	case a.Prefix != "":
		errs = append(errs, CheckPrefix(a.Prefix), CheckHost(a.Platform.Host))
		if ns, name, ok := strings.Cut(a.Platform.Gateway, "/"); !ok || checkObject("namespace", ns) != nil || checkObject("gateway", name) != nil {
			errs = append(errs, fmt.Errorf("the gateway %q is not NAMESPACE/NAME, as in "+DefaultGateway, a.Platform.Gateway))
		}
		if !slices.Contains([]Told{ByHeader, ByNothing, BySetting}, a.Told) {
			errs = append(errs, fmt.Errorf("an application is told its prefix by header, nothing or setting, and not by %q", a.Told))
		}
	default:
		errs = append(errs, CheckHost(a.Host), checkObject("cluster issuer", a.Platform.Issuer))
		if a.Access == ByLogin || a.Access == Programs {
			errs = append(errs, fmt.Errorf("access %s: a host of its own leads past the gateways and their login, so the application is public or has a login of its own", a.Access))
		}
	}
	if !slices.Contains([]Access{ByLogin, Public, Own, Programs}, a.Access) {
		errs = append(errs, fmt.Errorf("access is login, public, own or programs, and not %q", a.Access))
	}
	if a.Image != "" {
		errs = append(errs, CheckImage(a.Image), CheckPort(a.TargetPort))
	}
	if a.Preset != "" && PresetOf(a.Preset) == nil {
		errs = append(errs, fmt.Errorf("there is no preset %q", a.Preset))
	}
	if a.Preset == "vllm" {
		errs = append(errs, CheckModel(a.Model))
	}
	return errors.Join(errs...)
}
