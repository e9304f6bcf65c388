package extauthz

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/plan"
)

// server is a real gRPC authorizer that says what the test wants.
type server struct {
	authv3.UnimplementedAuthorizationServer
	got   *authv3.CheckRequest
	reply *authv3.CheckResponse
	err   error
}

func (s *server) Check(_ context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	s.got = r
	return s.reply, s.err
}

func newServer(t *testing.T) (*server, *plan.Provider, *Client) {
	s, g, ln := new(server), grpc.NewServer(), listen(t)
	authv3.RegisterAuthorizationServer(g, s)
	go g.Serve(ln)
	t.Cleanup(g.Stop)
	p := &plan.Provider{GRPC: true, Host: "authorizer.example.com", Backend: &plan.Backend{Protocol: plan.HTTP2}}
	return s, p, newClient(t, p, ln.Addr().String())
}

func edit(name, value string, appends *wrapperspb.BoolValue, action corev3.HeaderValueOption_HeaderAppendAction) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: name, Value: value}, Append: appends, AppendAction: action}
}

func TestCheckOverGRPC(t *testing.T) {
	s, p, c := newServer(t)
	s.reply = &authv3.CheckResponse{Status: &rpcstatus.Status{}}
	q := question()
	q.Body = []byte("body")
	if v := c.Ask(t.Context(), p, q); v.Err != nil || !v.Allowed {
		t.Fatalf("got %+v", v)
	}
	a := s.got.GetAttributes()
	h := a.GetRequest().GetHttp()
	got := fmt.Sprint(a.GetSource().GetAddress().GetSocketAddress().GetAddress(), " ", a.GetSource().GetPrincipal(), " ",
		a.GetDestination().GetAddress().GetSocketAddress().GetPortValue(), " ", a.GetDestination().GetPrincipal(), " ",
		h.GetId(), " ", h.GetMethod(), " ", h.GetScheme(), " ", h.GetHost(), " ", h.GetPath(), " ", h.GetProtocol(), " ", h.GetBody(), " ", h.GetSize(), " ",
		h.GetHeaders()[":method"], h.GetHeaders()[":path"], " ", h.GetHeaders()[":authority"], " ", h.GetHeaders()[":scheme"], " ", h.GetHeaders()["cookie"], " ", h.GetHeaders()["x-bad"])
	want := "192.0.2.7 spiffe://mesh/ns/shop/sa/caller 8080 spiffe://mesh/ns/istio-system/sa/gateway " +
		"id POST https app.example.com /a//b%2F?q=%20 HTTP/2 body 4 POST/a//b%2F?q=%20 app.example.com https a=1 !"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !a.GetRequest().GetTime().IsValid() || a.GetRequest().GetTime().GetSeconds() == 0 {
		t.Errorf("the time is %v", a.GetRequest().GetTime())
	}
	q.Body, p.PackAsBytes = []byte{0xff, 0}, true
	c.Ask(t.Context(), p, q)
	if h := s.got.GetAttributes().GetRequest().GetHttp(); h.GetBody() != "" || string(h.GetRawBody()) != "\xff\x00" {
		t.Errorf("as bytes: got %q and %q", h.GetBody(), h.GetRawBody())
	}
	p.PackAsBytes = false
	if v := c.Ask(t.Context(), p, q); v.Err == nil || !strings.Contains(v.Err.Error(), "UTF-8") {
		t.Errorf("a body that is no text: got %+v", v)
	}
}

func TestVerdictsOverGRPC(t *testing.T) {
	yes, no := wrapperspb.Bool(true), wrapperspb.Bool(false)
	const (
		add     = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
		absent  = corev3.HeaderValueOption_ADD_IF_ABSENT
		set     = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		present = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS
	)
	fields := func(pairs ...string) (f header.Fields) {
		for pair := range slices.Chunk(pairs, 2) {
			f.Add(pair[0], pair[1])
		}
		return f
	}
	s, p, c := newServer(t)
	for _, x := range []struct {
		name  string
		reply *authv3.CheckResponse
		err   error
		want  plan.Verdict
		fails string
	}{
		{name: "OK with edits", reply: &authv3.CheckResponse{HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers: []*corev3.HeaderValueOption{
				edit("X-Set", "s", nil, add), edit("x-append", "a", yes, add), edit("x-over", "o", no, add),
				edit("x-new", "n", nil, absent), edit("x-there", "no", nil, absent), edit("x-there", "t", nil, present), edit("x-gone", "no", nil, present),
			},
			HeadersToRemove:      []string{"X-Drop"},
			ResponseHeadersToAdd: []*corev3.HeaderValueOption{edit("x-a", "1", nil, add), edit("x-b", "2", nil, set), edit("x-c", "3", no, add)},
		}}}, want: plan.Verdict{Allowed: true, Status: 200, Set: fields("x-set", "s", "x-over", "o", "x-new", "n", "x-there", "t"), Append: fields("x-append", "a"),
			Remove: []string{"x-drop"}, AnswerAdd: fields("x-a", "1"), AnswerSet: fields("x-b", "2", "x-c", "3")}},
		{name: "denied plainly", reply: &authv3.CheckResponse{Status: &rpcstatus.Status{Code: int32(codes.PermissionDenied)}}, want: plan.Verdict{Status: 403}},
		{name: "denied in words", reply: &authv3.CheckResponse{
			Status: &rpcstatus.Status{Code: int32(codes.Unauthenticated)},
			HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
				Status: &typev3.HttpStatus{Code: typev3.StatusCode_Unauthorized}, Body: "no",
				Headers: []*corev3.HeaderValueOption{edit("Set-Cookie", "a", nil, add), edit("set-cookie", "b", nil, add)},
			}},
		}, want: plan.Verdict{Status: 401, Body: "no", Header: fields("set-cookie", "a", "set-cookie", "b")}},
		{name: "denied although it brings an OK", reply: &authv3.CheckResponse{
			Status:       &rpcstatus.Status{Code: 7},
			HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}},
		}, want: plan.Verdict{Status: 403}},
		{name: "an error", err: status.Error(codes.Internal, "broken"), fails: "grpc-status 13 broken"},
		{name: "a header that splits", reply: &authv3.CheckResponse{HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers: []*corev3.HeaderValueOption{edit("x-a", "b\r\nx-admin: true", nil, add)},
		}}}, fails: "cannot be written"},
	} {
		s.reply, s.err = x.reply, x.err
		v := c.Ask(t.Context(), p, question())
		if x.fails != "" {
			if v.Err == nil || v.Allowed || !strings.Contains(v.Err.Error(), x.fails) {
				t.Errorf("%s: got %+v, want an error with %q", x.name, v, x.fails)
			}
			continue
		}
		if got, want := fmt.Sprintf("%+v", v), fmt.Sprintf("%+v", x.want); got != want {
			t.Errorf("%s: got\n%s, want\n%s", x.name, got, want)
		}
	}
}

// A port that is not named for gRPC speaks HTTP/1.1, and every check fails.
func TestGRPCNeedsHTTP2(t *testing.T) {
	p := &plan.Provider{GRPC: true}
	c := newClient(t, p, listen(t).Addr().String())
	if v := c.Ask(t.Context(), p, question()); v.Err == nil || !strings.Contains(v.Err.Error(), "name the Service's port grpc") {
		t.Errorf("got %v", v.Err)
	}
}

// The reader and the published messages agree: what one takes for a denial the other
// does, too.
func FuzzCheckResponse(f *testing.F) {
	for _, r := range []*authv3.CheckResponse{
		{},
		{Status: &rpcstatus.Status{Code: 7, Message: "m"}, HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: 302}, Body: "b", Headers: []*corev3.HeaderValueOption{edit("location", "/x", nil, 0)}}}},
		{HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers: []*corev3.HeaderValueOption{edit("x-a", "b", wrapperspb.Bool(true), 2)}, HeadersToRemove: []string{"x"}}}},
	} {
		data, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r authv3.CheckResponse
		published := proto.Unmarshal(data, &r)
		v, err := readCheckResponse(data, nil)
		if published != nil || err != nil {
			return // either refuses more than the other: text that is not UTF-8, headers that cannot be written
		}
		if got, want := v.Allowed, r.GetStatus().GetCode() == 0; got != want {
			t.Fatalf("allowed: got %v, want %v, of %v", got, want, &r)
		}
		if !v.Allowed && r.GetDeniedResponse().GetBody() != v.Body {
			t.Fatalf("body: got %q, want %q", v.Body, r.GetDeniedResponse().GetBody())
		}
	})
}
