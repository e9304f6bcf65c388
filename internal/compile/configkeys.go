package compile

// configKeys is the one table of the keys of the controller's ConfigMap, by what
// becomes of them; closes means every Ingress.
func configKeys() []annotationRow {
	return []annotationRow{
		{carried, "ssl-redirect force-ssl-redirect preserve-trailing-slash use-port-in-redirects proxy-body-size", ""},
		{carried, "proxy-connect-timeout proxy-send-timeout proxy-read-timeout proxy-next-upstream proxy-next-upstream-tries retry-non-idempotent limit-req-status-code limit-conn-status-code", ""},
		{carried, "whitelist-source-range denylist-source-range global-allowed-response-headers", ""},
		{carried, "http-redirect-code no-tls-redirect-locations no-auth-locations hsts hsts-include-subdomains hsts-preload hsts-max-age", ""},
		{carried, "use-forwarded-headers compute-full-forwarded-for forwarded-for-header enable-real-ip proxy-real-ip-cidr", ""},
		{carried, "enable-underscores-in-headers generate-request-id proxy-add-original-uri-header large-client-header-buffers relative-redirects", ""},

		{accepted, "proxy-buffer-size proxy-buffers-number proxy-busy-buffers-size proxy-max-temp-file-size client-body-buffer-size proxy-request-buffering", ""},
		{accepted, "worker-processes worker-cpu-affinity worker-shutdown-timeout max-worker-connections max-worker-open-files enable-multi-accept reuse-port enable-aio-write", ""},
		{accepted, "map-hash-bucket-size server-name-hash-max-size server-name-hash-bucket-size proxy-headers-hash-max-size proxy-headers-hash-bucket-size variables-hash-max-size variables-hash-bucket-size", ""},
		{accepted, "lua-shared-dicts error-log-level error-log-path access-log-path access-log-params log-format-upstream log-format-stream log-format-escape-json log-format-escape-none", ""},
		{accepted, "upstream-keepalive-connections upstream-keepalive-time upstream-keepalive-timeout upstream-keepalive-requests ssl-buffer-size ssl-session-cache ssl-session-cache-size ssl-session-timeout ssl-session-tickets", ""},
		{accepted, "strict-validate-path-type proxy-stream-responses grpc-buffer-size-kb", ""},
		{accepted, "debug-connections disable-stream-access-log enable-access-log-for-default-backend enable-auth-access-log enable-serial-reloads http-access-log-path stream-access-log-path", ""},
		{accepted, "proxy-stream-next-upstream proxy-stream-next-upstream-timeout proxy-stream-next-upstream-tries proxy-stream-timeout proxy-protocol-header-timeout ssl-session-ticket-key", ""},

		{ignored, "allow-snippet-annotations allow-cross-namespace-resources", "false"},
		{ignored, "use-http2 ignore-invalid-headers", "true"},
		{ignored, "use-gzip enable-brotli use-geoip2 server-tokens allow-backend-server-header service-upstream enable-ocsp ssl-early-data ssl-reject-handshake", "false"},
		{ignored, "enable-opentelemetry disable-access-log disable-http-access-log", "false"},
		{ignored, "proxy-buffering proxy-redirect-from proxy-redirect-to proxy-cookie-domain proxy-cookie-path", "off"},
		{ignored, "proxy-http-version", "1.1"},
		{ignored, "load-balance", "round_robin"},
		{ignored, "proxy-next-upstream-timeout limit-rate limit-rate-after", "0"},
		{ignored, "annotations-risk-level", "High"},
		{ignored, "ssl-protocols", "TLSv1.2 TLSv1.3"},
		{ignored, "ssl-ciphers ssl-ecdh-curve ssl-dh-param custom-http-errors proxy-set-headers add-headers hide-headers", ""},
		{ignored, "client-header-timeout client-body-timeout", "60"},
		{ignored, "client-header-buffer-size", "1k"},
		{ignored, "keep-alive", "75"},
		{ignored, "keep-alive-requests", "1000"},
		{ignored, "default-type", "text/html"},
		{ignored, "gzip-level gzip-min-length gzip-types gzip-disable brotli-level brotli-types brotli-min-length skip-access-log-urls bind-address disable-ipv6 disable-ipv6-dns", ""},
		{ignored, "http2-max-field-size http2-max-header-size http2-max-requests http2-max-concurrent-streams enable-syslog syslog-host syslog-port", ""},
		{ignored, "main-snippet http-snippet server-snippet stream-snippet location-snippet", ""},
		{ignored, "app-root bind-address-ipv4 bind-address-ipv6 disable-proxy-intercept-errors forwarded-host-header forwarded-for-proxy-protocol-header limit-conn-zone-variable", ""},
		{ignored, "upstream-hash-by upstream-hash-by-subset upstream-hash-by-subset-size proxy-ssl-location-only nginx-status-ipv4-whitelist nginx-status-ipv6-whitelist use-geoip geoip2-autoreload-in-minutes", ""},
		{ignored, "opentelemetry-config opentelemetry-operation-name opentelemetry-trust-incoming-span otlp-collector-host otlp-collector-port otel-service-name", ""},
		{ignored, "otel-max-queuesize otel-schedule-delay-millis otel-max-export-batch-size otel-sampler otel-sampler-ratio otel-sampler-parent-based", ""},
		// They only shape what global-auth-url asks for.
		{ignored, "global-auth-method global-auth-signin global-auth-signin-redirect-param global-auth-response-headers global-auth-request-redirect", ""},
		{ignored, "global-auth-snippet global-auth-cache-key global-auth-cache-duration global-auth-always-set-cookie modsecurity-snippet", ""},

		{closes, "global-auth-url", ""},
		{closes, "block-cidrs block-user-agents block-referers annotation-value-word-blocklist", ""},
		{closes, "use-proxy-protocol enable-modsecurity enable-owasp-modsecurity-crs", "false"},
	}
}
