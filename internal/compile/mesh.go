package compile

import (
	"encoding/json"
	"slices"
	"strings"

	meshv1alpha1 "istio.io/api/mesh/v1alpha1"
	networkingv1alpha3 "istio.io/api/networking/v1alpha3"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// mesh holds the settings of the mesh: MeshConfig, with Istio's defaults for
// what it leaves out.
type mesh struct {
	rootNamespace string
	trustDomain   string
	form          match.Form
	trustedHops   int
	retry         *networkingv1alpha3.HTTPRetry // nil: Istio's own default
	// The exportTo of objects that name none.
	exportVirtualServices, exportServices, exportDestinationRules []string
	config                                                        *meshv1alpha1.MeshConfig
	origin                                                        plan.Origin // of config
}

// readMesh reads MeshConfig from the key "mesh" of ConfigMap istio-system/istio.
func (c *compiler) readMesh() {
	config := &meshv1alpha1.MeshConfig{}
	var origin plan.Origin
	if item, ok := c.set.ConfigMaps.Get("istio-system", "istio"); ok {
		origin = plan.Origin{Ref: item.Ref, Origin: item.Origin}
		if text, ok := item.Object.Data["mesh"]; ok {
			config = c.parseMesh(item.Ref, item.Origin, text)
		}
	}
	m := mesh{
		rootNamespace:          or(config.RootNamespace, "istio-system"),
		trustDomain:            or(config.TrustDomain, "cluster.local"),
		form:                   match.FormBase,
		trustedHops:            int(config.GetDefaultConfig().GetGatewayTopology().GetNumTrustedProxies()),
		retry:                  config.DefaultHttpRetryPolicy,
		exportVirtualServices:  config.DefaultVirtualServiceExportTo,
		exportServices:         config.DefaultServiceExportTo,
		exportDestinationRules: config.DefaultDestinationRuleExportTo,
		config:                 config,
		origin:                 origin,
	}
	switch config.GetPathNormalization().GetNormalization() {
	case meshv1alpha1.MeshConfig_ProxyPathNormalization_NONE:
		m.form = match.FormNone
	case meshv1alpha1.MeshConfig_ProxyPathNormalization_MERGE_SLASHES:
		m.form = match.FormMergeSlashes
	case meshv1alpha1.MeshConfig_ProxyPathNormalization_DECODE_AND_MERGE_SLASHES:
		m.form = match.FormDecodeSlashes
	}
	c.mesh = m
}

// RootNamespace is the namespace whose policies count in all.
func RootNamespace(set *object.Set) string {
	c := &compiler{set: set}
	c.readMesh()
	return c.mesh.rootNamespace
}

// parseMesh reads the YAML text of a MeshConfig. What it cannot read it reports
// and leaves at its default.
func (c *compiler) parseMesh(ref object.Ref, origin object.Origin, text string) *meshv1alpha1.MeshConfig {
	config := &meshv1alpha1.MeshConfig{}
	data, err := yaml.ToJSON([]byte(text))
	if err == nil {
		var tree any
		if err = json.Unmarshal(data, &tree); err == nil {
			c.unknownFields(ref, origin, "data.mesh", tree, config.ProtoReflect().Descriptor())
			err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, config)
		}
	}
	if err != nil {
		c.problem(problem.Schema, ref, origin, "data.mesh",
			"the mesh configuration cannot be read, Istio's defaults are used: "+plainError(err), "write it as MeshConfig in YAML")
		return &meshv1alpha1.MeshConfig{}
	}
	return config
}

// unknownFields reports the fields of a tree of JSON that the message has not.
func (c *compiler) unknownFields(ref object.Ref, origin object.Origin, path string, tree any, d protoreflect.MessageDescriptor) {
	fields, ok := tree.(map[string]any)
	if !ok || strings.HasPrefix(string(d.FullName()), "google.protobuf.") {
		return
	}
	for name, value := range fields {
		f := d.Fields().ByJSONName(name)
		if f == nil {
			f = d.Fields().ByTextName(name)
		}
		at := path + "." + name
		if f == nil {
			known := make([]string, d.Fields().Len())
			for i := range known {
				known[i] = d.Fields().Get(i).JSONName()
			}
			c.problem(problem.UnknownField, ref, origin, at,
				string(d.Name())+" has no field "+name+nearest(name, known), "remove the field, or correct its name")
			continue
		}
		if f.Kind() != protoreflect.MessageKind || f.IsMap() {
			continue
		}
		values := []any{value}
		if list, ok := value.([]any); ok && f.IsList() {
			values = list
		}
		for _, v := range values {
			c.unknownFields(ref, origin, at, v, f.Message())
		}
	}
}

// plainError is the text of an error of the protobuf library, whose prefix
// varies on purpose from build to build.
func plainError(err error) string {
	s := err.Error()
	if _, rest, ok := strings.Cut(s, "(line "); ok {
		if _, rest, ok := strings.Cut(rest, "): "); ok {
			return rest
		}
	}
	return strings.ReplaceAll(s, " ", " ")
}

// exported tells whether an object of namespace own with exportTo (or, without,
// with the mesh's defaults) can be seen from namespace viewer; private says that
// it is by its own namespace alone (Istio, visibility).
func exported(exportTo, defaults []string, own, viewer string) bool {
	if len(exportTo) == 0 {
		exportTo = defaults
	}
	if len(exportTo) == 0 || slices.Contains(exportTo, "*") {
		return true
	}
	if slices.Contains(exportTo, "~") {
		return false
	}
	return slices.Contains(exportTo, viewer) || own == viewer && slices.Contains(exportTo, ".")
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
