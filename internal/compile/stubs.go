package compile

import "github.com/doorward/doorward/internal/plan"

// mesh holds the settings of the mesh.
type mesh struct{}

func (c *compiler) readMesh()            {}
func (c *compiler) readGateways()        {}
func (c *compiler) readVirtualServices() {}

func (c *compiler) gatewayListener(namespace, svc string, port int32) *plan.Listener { return nil }
