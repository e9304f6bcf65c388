package check

import (
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// Check is one rule of the catalogue.
type Check struct {
	// Code is the code of all that Run reports.
	Code string
	Run  func(*Pass)
}

// All lists the checks, in the order of the table of codes.
func All() []Check {
	return []Check{
		{problem.VSHostHidesWildcard, hostHidesWildcard},
		{problem.VSRouteConflict, routeConflict},
		{problem.RuleUnreachable, ruleRepeated},
		{problem.MatchDuplicate, matchCovered},
		{problem.RuleShadowed, ruleShadowed},
		{problem.PrefixCatchesSiblings, prefixCatchesSiblings},
		{problem.RewriteSlashMismatch, rewriteSlashMismatch},
		{problem.RedirectLoopSelf, redirectLoopSelf},
		{problem.RedirectLoopTLS, redirectLoopTLS},
		{problem.VSHostNotAtEdge, hostNotAtEdge},
		{problem.EdgePathNotForwarded, pathNotForwarded},
		{problem.ForwardedPrefixMissing, forwardedPrefixMissing},
		{problem.PrefixRedirectMissing, prefixRedirectMissing},
		{problem.GatewayNotFound, matchGatewayNotFound},
		{problem.GatewayDuplicateCert, gatewayDuplicateCert},
		{problem.MeshHostConflict, meshHostConflict},
		{problem.DeadVirtualService, deadVirtualService},
		{problem.TimeoutOrder, timeoutOrder},
		{problem.ServiceSelectsNothing, serviceSelectsNothing},
		{problem.TargetPortNotFound, targetPortNotFound},
		{problem.PortNameConvention, portNameConvention},
		{problem.ExternalNamePortName, externalNamePortName},
		{problem.MultiServiceConflict, multiServiceConflict},
		{problem.NamespaceMissing, namespaceMissing},
		{problem.NamespaceNotDeclared, namespaceNotDeclared},
		{problem.UID1337, uid1337},
		{problem.AnnotationDeprecated, annotationDeprecated},
		{problem.AnnotationMisplaced, annotationMisplaced},
		{problem.AnnotationUnknown, annotationUnknown},
		{problem.AnnotationInvalid, annotationInvalid},
		{problem.BackendProtocolMismatch, backendProtocolMismatch},
		{problem.CertIssuerNotFound, issuerNotFound},
		{problem.ExemptInOnePolicy, exemptInOnePolicy},
		{problem.ExemptPathNotCovering, exemptPathNotCovering},
		{problem.ExemptPatternTooBroad, exemptPatternTooBroad},
		{problem.LoginBypassByHeader, loginBypassByHeader},
		{problem.JWTNotRequired, jwtNotRequired},
		{problem.JWTPrincipalNeverSet, jwtPrincipalNeverSet},
		{problem.JWTIssuerUnknown, jwtIssuerUnknown},
		{problem.JWTTokenStripped, jwtTokenStripped},
		{problem.JWTClaimRoute, jwtClaimRoute},
		{problem.AuthnSelectsNothing, authnSelectsNothing},
		{problem.AuthzSourceNotFound, authzSourceNotFound},
		{problem.WorkloadDeniedByDefault, workloadDeniedByDefault},
		{problem.GatewayDeniedByDefault, gatewayDeniedByDefault},
		{problem.AuthzPathAfterRewrite, authzPathAfterRewrite},
		{problem.AuthzHostAfterRewrite, authzHostAfterRewrite},
		{problem.MTLSIdentityNeverPresent, mtlsIdentityNeverPresent},
		{problem.AuthBypassSecondEntry, authBypassSecondEntry},
		{problem.IdentityHeaderForgeable, identityHeaderForgeable},
		{problem.AllowAllInNamespace, allowAllInNamespace},
		{problem.AnonymousExposure, anonymousExposure},
		{problem.NamespaceNotInjected, namespaceNotInjected},
		{problem.DRNoCA, noAuthority},
		{problem.JobWithSidecar, jobWithSidecar},
		{problem.SidecarEgressHidesService, sidecarEgressHidesService},
	}
}

// Run makes every check on a set and the plan that it has become. Lines are those
// of the objects; source.Options.Point finds those of the fields.
func Run(set *object.Set, p *plan.Plan) problem.List {
	pass := newPass(set, p)
	for _, c := range All() {
		pass.code = c.Code
		c.Run(pass)
	}
	pass.problems.Sort()
	return pass.problems
}
