package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LoginProvider is a login at an OpenID Connect provider, built into the gateway.
// A CUSTOM AuthorizationPolicy whose provider has its name asks it instead of an
// extension provider of the mesh. It is looked for in the policy's namespace, then
// in the root namespace.
type LoginProvider struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec LoginProviderSpec `json:"spec"`
}

// LoginProviderSpec says where users log in and how they stay logged in.
type LoginProviderSpec struct {
	// Issuer is the provider's issuer URL, as its tokens name it. The rest is
	// discovered at ISSUER/.well-known/openid-configuration.
	Issuer string `json:"issuer"`
	// AuthorizationURL is where browsers are sent to log in, if the discovered one
	// is not for browsers. A path, such as /dex/auth, is one of the host asked for.
	AuthorizationURL string `json:"authorizationURL,omitempty"`
	// ClientID is the client that the provider knows Doorward by. ID tokens must
	// have it among their audiences.
	ClientID string `json:"clientID"`
	// ClientSecretRef names the client's secret. Without it the client is public.
	ClientSecretRef *SecretKeyRef `json:"clientSecretRef,omitempty"`
	// Scopes are asked for; default openid, profile, email. openid is always one of them.
	Scopes []string `json:"scopes,omitempty"`
	// RedirectPath is where the provider sends browsers back to; default
	// /oauth2/callback. The other paths of the login lie beside it: /oauth2/start,
	// /oauth2/sign_in, /oauth2/sign_out, /oauth2/auth, /oauth2/userinfo and
	// /oauth2/backchannel-logout.
	RedirectPath string `json:"redirectPath,omitempty"`
	// GroupsClaim is the claim of the ID token with the user's groups; default groups.
	GroupsClaim string `json:"groupsClaim,omitempty"`
	// AllowUnverifiedEmail lets in users whose claim email_verified is false.
	AllowUnverifiedEmail bool `json:"allowUnverifiedEmail,omitempty"`
	// SessionLifetime bounds a login, whatever is refreshed; default 168h.
	SessionLifetime *metav1.Duration `json:"sessionLifetime,omitempty"`
	// Cookie is the cookie that holds the session.
	Cookie *LoginCookie `json:"cookie,omitempty"`
	// Logout says what else happens at /oauth2/sign_out.
	Logout *LoginLogout `json:"logout,omitempty"`
	// Headers says what an application is told of the user.
	Headers *LoginHeaders `json:"headers,omitempty"`
	// CACertRef names certificates (PEM) that the provider's certificate is verified
	// by, beside the system's.
	CACertRef *SecretKeyRef `json:"caCertRef,omitempty"`
}

// SecretKeyRef is a key of a Secret in the LoginProvider's namespace.
type SecretKeyRef struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

// LoginCookie is the session's cookie.
type LoginCookie struct {
	// Name of the cookie; default doorward_session. Parts of a long session are called
	// NAME_0, NAME_1 and so on, logins under way NAME_login_0 to NAME_login_2.
	Name string `json:"name,omitempty"`
	// Domain lets all hosts below it share the session; default the host alone.
	Domain string `json:"domain,omitempty"`
	// SecretRef names a text of at least 16 bytes that cookies are sealed with. It may
	// hold several, one a line: the first seals, all of them open. Without it keys are
	// made, rotated, and kept with --state.
	SecretRef *SecretKeyRef `json:"secretRef,omitempty"`
}

// LoginLogout says what else happens at a logout.
type LoginLogout struct {
	// PostLogoutRedirect is where the provider sends browsers after a logout: a URL that
	// it knows, or a path of the host asked for.
	PostLogoutRedirect string `json:"postLogoutRedirect,omitempty"`
	// LocalOnly does not log out at the provider (RP-initiated logout).
	LocalOnly bool `json:"localOnly,omitempty"`
	// Backchannel takes logouts from the provider at /oauth2/backchannel-logout.
	Backchannel bool `json:"backchannel,omitempty"`
}

// LoginHeaders says what an application is told of the user. Both are on by default.
type LoginHeaders struct {
	// Authorization sends "Bearer" and the ID token, which RequestAuthentications verify.
	Authorization *bool `json:"authorization,omitempty"`
	// XAuthRequest sends X-Auth-Request-User, -Email, -Groups and -Preferred-Username.
	XAuthRequest *bool `json:"xAuthRequest,omitempty"`
}
