# docker build --build-arg VERSION=$(git describe --tags --always) -t doorward .
# docker run -p 80:8080 -p 443:8443 -v "$PWD/manifests:/manifests:ro" doorward \
#   serve -f /manifests --http :8080 --https :8443

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN make build VERSION=${VERSION}

# Nothing but the binary and the certificate authorities it trusts: no shell, no package manager.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/bin/doorward /usr/local/bin/doorward
COPY LICENSE /LICENSE
# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532
# Edge HTTP and HTTPS, and the admin pages (given --admin :9901). All are above 1024: no capability is needed.
EXPOSE 8080 8443 9901
ENTRYPOINT ["/usr/local/bin/doorward"]
CMD ["--help"]
