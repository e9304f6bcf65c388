// Package demo holds the small applications of `doorward demo`. They stand for
// the applications of the example platform and live in this process, each on
// a loopback socket of its own, as if it were a pod.
//
// They behave as applications behind a prefix should: every link, redirect,
// form and cookie path is built from the prefix that X-Forwarded-Prefix tells,
// or else from the configured one. Each shows what it received, so that one
// sees what the door has made of a request.
package demo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// applications lists every application by the Service port that it stands for,
// as NAMESPACE/SERVICE:PORT.
func applications() map[string]*application {
	store := &store{}
	return map[string]*application{
		"home/home-service:80":      home(),
		"myapp/myapp-service:80":    myapp(),
		"mlflow/mlflow-service:80":  mlflow(),
		"minio/minio-service:80":    console(store),
		"minio/minio-service:9000":  s3(store),
		"inference/iris-service:80": inference(),
	}
}

// Start runs every application until ctx ends. It returns the address of each,
// HOST:PORT, by the Service port that it stands for, NAMESPACE/SERVICE:PORT.
// The error is of a socket that cannot be opened; then nothing is left running.
func Start(ctx context.Context) (map[string]string, error) {
	apps := applications()
	listeners := map[string]net.Listener{}
	addresses := map[string]string{}
	for service, app := range apps {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			for _, opened := range listeners {
				opened.Close()
			}
			return nil, fmt.Errorf("start the application %s: %w", app.Name, err)
		}
		listeners[service], addresses[service] = l, l.Addr().String()
	}
	for service, l := range listeners {
		apps[service].serve(ctx, l)
	}
	return addresses, nil
}

// serve answers on l until ctx ends. Streams see the end of ctx as that of
// their request.
func (a *application) serve(ctx context.Context, l net.Listener) {
	s := &http.Server{
		Handler:           a.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	context.AfterFunc(ctx, func() { s.Close() })
	go s.Serve(l)
}
