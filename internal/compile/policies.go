package compile

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// readPolicies says what of the policies is probably not meant, and which kinds
// are not carried out.
func (c *compiler) readPolicies() {
	c.lintAuthorizationPolicies()
	notCarriedOut(c, c.set.Sidecars, "Sidecars are not carried out: every gateway sees every Service")
}

// notCarriedOut reports a kind once, on its first object.
func notCarriedOut[T metav1.Object](c *compiler, all object.Collection[T], message string) {
	if all.Len() == 0 {
		return
	}
	item := all.All()[0]
	c.problem(problem.NotCarriedOut, item.Ref, item.Origin, "",
		fmt.Sprintf("%s (%d of them)", message, all.Len()), "do not rely on them here; keep what must not be open behind another guard")
}
