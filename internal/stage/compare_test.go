package stage

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/scenario"
)

// Everything that differs from the walk is told, but for what belongs to a connection.
func TestDiffer(t *testing.T) {
	walked := scenario.Outcome{
		Backend: "shop/web:80", Method: "GET", Target: "/x", Host: "a.example.com", Status: 200,
		Got:    header.Fields{{Name: "x-a", Value: "1"}, {Name: "x-b", Value: "2"}, {Name: "x-c", Value: "3"}},
		Answer: header.Fields{{Name: "server", Value: "istio-envoy"}, {Name: "x-envoy-upstream-service-time", Value: "0"}},
	}
	socket := walked
	socket.Answer = header.Fields{{Name: "date", Value: "now"}, {Name: "server", Value: "istio-envoy"}, {Name: "x-envoy-upstream-service-time", Value: "7"}}
	if bad := differ(3, &socket, &walked); bad != nil {
		t.Errorf("the same: got %v", bad)
	}
	socket.Target, socket.Host, socket.Body = "/y", "b.example.com", "text"
	socket.Got = header.Fields{{Name: "x-a", Value: "1"}, {Name: "x-b", Value: "4"}, {Name: "x-d", Value: "5"}}
	socket.Answer = nil
	var got strings.Builder
	for _, d := range differ(3, &socket, &walked) {
		got.WriteString(d.String() + "\n")
	}
	want := `line 3: outcome over sockets: got shop/web:80 GET /y, want shop/web:80 GET /x as by the walk
line 3: Host of the upstream over sockets: got b.example.com, want a.example.com as by the walk
line 3: body over sockets: got text, want  as by the walk
line 3: header x-b over sockets: got 4, want 2 as by the walk
line 3: header x-c over sockets: got none, want 3 as by the walk
line 3: header x-d over sockets: got 5, want none as by the walk
line 3: answer's header server over sockets: got none, want istio-envoy as by the walk
line 3: answer's header x-envoy-upstream-service-time over sockets: got none, want (some) as by the walk
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
