package problem

// Code is one row of the table of codes.
type Code struct {
	Slug     string
	Istio    string   // code of istioctl analyze for the very same mistake, if it has one
	Severity Severity // unless the circumstances say otherwise
	Title    string   // what it is, in one line
}

// Lookup finds a code by its slug.
func Lookup(slug string) (Code, bool) {
	for _, c := range table {
		if c.Slug == slug {
			return c, true
		}
	}
	return Code{}, false
}

// Codes is the whole table, in the order of the subjects.
func Codes() []Code { return append([]Code(nil), table[:]...) }

// table is the one table of codes.
var table = [...]Code{
	// Reading manifests.
	{DocumentInvalid, "", Error, "a document that cannot be read as an object"},
	{UnknownField, "", Error, "a field that the API does not have"},
	{DuplicateKey, "", Error, "one key twice in one mapping"},
	{Schema, "IST0106", Error, "a value that the API does not allow"},
	{DuplicateObject, "", Error, "one object twice with different content"},
	{APIVersion, "", Error, "an API version that does not exist, or no longer"},
	{NotCarriedOut, "", Warning, "a kind, field or annotation that Doorward does not carry out"},
	{KustomizationNotBuilt, "", Info, "a kustomization whose files are read one by one"},

	// Routing.
	{GatewayNotFound, "IST0101", Error, "a VirtualService names a Gateway that does not exist"},
	{HostNotFound, "IST0101", Error, "a destination host is no Service or ServiceEntry"},
	{PortNotFound, "IST0101", Error, "a destination port is not a port of the Service"},
	{PortRequired, "IST0112", Error, "a destination without a port, and the Service has several"},
	{SubsetNotFound, "IST0101", Error, "no DestinationRule defines the subset"},
	{SubsetSelectsNothing, "IST0173", Error, "a subset whose labels no workload has"},
	{DRHostNotFound, "IST0174", Warning, "a DestinationRule's host is no Service or ServiceEntry"},
	{VSHostNotInGateway, "IST0132", Warning, "no host of the VirtualService is served by the Gateway"},
	{VSHostHidesWildcard, "", Error, "an exact host takes all requests from routes on a wildcard host"},
	{VSRouteConflict, "", Warning, "two VirtualServices want the same requests"},
	{RuleUnreachable, "IST0130", Warning, "a rule that no request can reach"},
	{MatchDuplicate, "IST0131", Info, "a match that repeats an earlier one"},
	{RuleShadowed, "", Warning, "a match whose every request earlier rules take"},
	{PrefixCatchesSiblings, "", Warning, "a prefix without a slash at its end takes its siblings too"},
	{RewriteSlashMismatch, "", Warning, "prefix and rewrite differ in the slash at their end"},
	{RedirectLoopSelf, "", Error, "a redirect that leads back to itself"},
	{RedirectLoopTLS, "", Error, "edge and gateway redirect to https for ever"},
	{VSHostNotAtEdge, "", Warning, "no Ingress hands the VirtualService's host to its gateway"},
	{EdgePathNotForwarded, "", Warning, "no Ingress hands the VirtualService's path to its gateway"},
	{ForwardedPrefixMissing, "", Info, "a prefix is rewritten away and X-Forwarded-Prefix is not set"},
	{PrefixRedirectMissing, "", Info, "nothing answers the prefix without its slash"},
	{GatewaySelectsNothing, "IST0101", Error, "no gateway workload has the selector's labels"},
	{GatewayCredentialNotFound, "IST0101", Error, "credentialName is no Secret in the gateway's namespace"},
	{GatewayCredentialInvalid, "IST0161", Error, "a Secret without a usable certificate and key"},
	{GatewayPortNotOnService, "IST0162", Warning, "a server port that the gateway's Service does not expose"},
	{GatewayConflict, "IST0145", Error, "two servers that cannot be merged"},
	{GatewayDuplicateCert, "IST0138", Warning, "one certificate on two Gateways of one workload"},
	{MeshHostConflict, "IST0109", Error, "two VirtualServices in the mesh with one host"},
	{DelegateNotFound, "", Error, "a delegate that does not exist, or is none"},
	{NotExported, "", Error, "exportTo hides an object from the namespace that needs it"},
	{DeadVirtualService, "", Warning, "a VirtualService that no request can reach"},
	{TimeoutOrder, "", Info, "a route's timeout is longer than the edge's"},

	// Services and objects.
	{ServiceSelectsNothing, "", Warning, "a Service that selects no workload"},
	{TargetPortNotFound, "", Warning, "a named targetPort that no container port has"},
	{PortNameConvention, "IST0118", Info, "a port whose protocol has to be guessed"},
	{ExternalNamePortName, "IST0150", Warning, "an ExternalName Service with a port name that Istio cannot use"},
	{MultiServiceConflict, "IST0116", Warning, "two Services of one workload disagree about a port"},
	{NamespaceMissing, "", Info, "a namespaced object without metadata.namespace"},
	{NamespaceNotDeclared, "", Info, "objects in a namespace that the files do not declare"},
	{UID1337, "IST0144", Warning, "an application container runs as the sidecar's user"},
	{AnnotationDeprecated, "IST0135", Info, "a deprecated istio.io annotation"},
	{AnnotationMisplaced, "IST0107", Warning, "an istio.io annotation where it does nothing"},
	{AnnotationUnknown, "IST0108", Warning, "an istio.io annotation that does not exist"},
	{AnnotationInvalid, "IST0125", Warning, "an istio.io annotation with a wrong value"},
	{NoEndpoints, "", Warning, "a Service without any address to send requests to"},
	{EndpointNotAttached, "", Error, "an endpoint of the command line for a Service or port that does not exist"},
	{ListenNotServed, "", Error, "a listener of the command line on a Service port that nothing serves"},

	// Edge.
	{IngressServiceNotFound, "", Error, "an Ingress backend that is no Service in its namespace"},
	{IngressPortNotFound, "", Error, "an Ingress backend port that the Service does not have"},
	{IngressTLSSecretMissing, "", Warning, "a TLS Secret that is not there and that nothing makes"},
	{IngressClassMissing, "", Warning, "an Ingress without a class"},
	{IngressClassNotFound, "", Warning, "an Ingress of a class that is not declared"},
	{IngressHostPathConflict, "", Error, "two Ingresses with one host, path and path type"},
	{IngressTLSHostMismatch, "", Warning, "a host that is in no tls.hosts"},
	{IngressSSLRedirectWithoutTLS, "", Info, "ssl-redirect without tls does nothing"},
	{IngressAnnotationUnknown, "", Warning, "an annotation that the controller does not know"},
	{IngressAnnotationValue, "", Warning, "an annotation with a value of the wrong kind"},
	{IngressClassDeprecated, "", Info, "kubernetes.io/ingress.class instead of ingressClassName"},
	{BackendProtocolMismatch, "", Warning, "backend-protocol and the Service's port disagree"},
	{CertIssuerNotFound, "", Warning, "a certificate issuer that is not declared"},

	// Login and authorization.
	{ExemptInOnePolicy, "", Error, "a path is exempt in one of two policies"},
	{ExemptPathNotCovering, "", Warning, "an exempt path that covers only the index page"},
	{ExemptPatternTooBroad, "", Warning, "an exempt pattern that opens another application"},
	{PathPatternLiteralStar, "", Warning, "a star that is compared literally"},
	{LoginBypassByHeader, "", Error, "a login that any Authorization header switches off"},
	{JWTNotRequired, "", Warning, "requests without a token pass"},
	{JWTPrincipalNeverSet, "", Error, "a policy asks for a principal that nothing sets"},
	{JWTIssuerUnknown, "", Error, "a principal of an issuer that no RequestAuthentication has"},
	{JWTTokenStripped, "", Warning, "the token is removed before the workload that asks for it"},
	{JWKSUnreachable, "", Error, "a key set on a host or port that does not exist"},
	{JWTClaimRoute, "IST0149", Error, "a route on claims without a RequestAuthentication"},
	{AuthnSelectsNothing, "", Warning, "a RequestAuthentication or APIKeySet that selects no workload"},
	{AuthzSelectsNothing, "IST0127", Warning, "an AuthorizationPolicy that selects no workload"},
	{AuthzSourceNotFound, "IST0101", Error, "a source that does not exist"},
	{AuthzProviderNotFound, "", Error, "a CUSTOM policy names a provider that does not exist"},
	{AuthzProviderServiceNotFound, "", Error, "a provider points at a Service or port that does not exist"},
	{WorkloadDeniedByDefault, "", Error, "a workload that refuses every request"},
	{GatewayDeniedByDefault, "", Error, "a gateway that refuses every request"},
	{AuthzPathAfterRewrite, "", Warning, "a policy on paths that are rewritten before it"},
	{AuthzHostAfterRewrite, "", Warning, "a policy on hosts that are rewritten before it"},
	{MTLSIdentityNeverPresent, "", Error, "a policy on identities that no caller has"},
	{AuthBypassSecondEntry, "", Warning, "a protected Service has a second, open entry"},
	{IdentityHeaderForgeable, "", Warning, "a client can set an identity header"},
	{AllowAllInNamespace, "", Info, "a policy that allows everything in its namespace"},
	{AnonymousExposure, "", Info, "URLs that anyone can reach"},
	{APIKeySecretNotFound, "", Error, "an APIKeySet whose Secret does not exist"},
	{APIKeyUnusable, "", Error, "an API key that never works"},
	{DryRunPolicy, "", Info, "a policy that is logged and not enforced"},
	{LoginProviderInvalid, "", Error, "a LoginProvider that lets nobody in: a value that cannot be carried out"},
	{LoginProviderUnreachable, "", Error, "a login provider that cannot be discovered"},
	{LoginProviderUnused, "", Info, "a LoginProvider that no policy asks"},

	// Sidecars and mTLS.
	{InjectionLabelConflict, "IST0123", Warning, "two injection labels on one Namespace"},
	{InjectionLabelValue, "", Warning, "an injection label with a value that does nothing"},
	{InjectLabelMisplaced, "", Warning, "an injection label where it does nothing"},
	{InjectionOverridden, "", Info, "a workload that overrides its namespace's injection"},
	{NamespaceNotInjected, "IST0102", Info, "a namespace without an injection label"},
	{StrictMTLSNoSidecar, "", Warning, "STRICT mutual TLS for workloads without a sidecar"},
	{StrictMTLSPlaintextCaller, "", Error, "a caller in plain text towards STRICT mutual TLS"},
	{DRTLSConflict, "", Error, "a DestinationRule's TLS mode against STRICT mutual TLS"},
	{DRMTLSNoSidecar, "", Error, "mutual TLS towards workloads without a sidecar"},
	{DRNoCA, "IST0128", Warning, "TLS that verifies no certificate"},
	{PeerauthnPortWithoutSelector, "IST0106", Error, "portLevelMtls without a selector"},
	{PeerauthnPortUnknown, "", Warning, "portLevelMtls on the Service's port instead of the workload's"},
	{WebhookBehindStrict, "", Error, "a webhook that the API server cannot reach"},
	{JobWithSidecar, "", Info, "a Job with a sidecar does not complete"},
	{SidecarEgressHidesService, "", Warning, "a Sidecar hides a namespace that is needed"},
}
