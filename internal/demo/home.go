package demo

import (
	"net/http"
	"strings"
)

// place is an application of the platform, for the start page.
type place struct{ URL, Name, About string }

// home is the start page, at the root of the platform's host.
func home() *application {
	return &application{
		Name: "A platform on one machine", Bare: true,
		About: "The platform of examples/paas in one process: Ingress, gateways and routes. Every link goes through the door.",
		Page:  page(homeContent),
		Data:  func(r *http.Request) any { return places(r.Host) },
	}
}

const homeContent = `<section aria-labelledby="apps">
<h2 id="apps">Applications</h2>
<ul class="apps">{{range .Shown}}<li><a href="{{.URL}}">{{.Name}}</a><p>{{.About}}</p></li>{{end}}</ul>
</section>`

// places lists the applications, on host and on the sister host of MinIO.
func places(host string) []place {
	_, rest, _ := strings.Cut(host, ".")
	return []place{
		{"/myapp/", "myapp", "The first form: the prefix is taken off the path. The application was configured with it."},
		{"/myapp-prefixed/", "myapp, told its prefix", "The second form: X-Forwarded-Prefix tells the application where it is mounted."},
		{"/mlflow/", "MLflow", "An application for people, through the gateway of those who have a login."},
		{"//minio." + rest + "/", "MinIO", "A host and an Ingress of its own: bodies up to 100m, long timeouts, large headers."},
		{"/serving/iris/v1/models/iris", "Inference", "A model for programs, through the cluster-local gateway under /serving."},
		{"/nothing-here", "Nothing", "A path that no route takes: the gateway answers 404."},
	}
}
