package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/doorward/doorward/internal/plan"
)

type text = wrapperspb.StringValue

// say answers one message: "fail" fails at once, "wait" until the deadline.
func answerText(ctx context.Context, in *text) (*text, error) {
	switch in.Value {
	case "fail":
		return nil, status.Error(codes.FailedPrecondition, "50% are not there\nreally")
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "t"))
	md, _ := metadata.FromIncomingContext(ctx)
	return wrapperspb.String("got " + in.Value + strings.Join(md.Get("x-meta"), ",")), nil
}

// grpcOrigin serves one unary, one server-streaming and one two-way method.
func grpcOrigin(t testing.TB) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Test",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Unary", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			in := new(text)
			if err := decode(in); err != nil {
				return nil, err
			}
			return answerText(ctx, in)
		}}},
		Streams: []grpc.StreamDesc{
			{StreamName: "Count", ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
				in := new(text)
				if err := s.RecvMsg(in); err != nil {
					return err
				}
				for i := range 3 {
					if err := s.SendMsg(wrapperspb.String(fmt.Sprint(in.Value, i))); err != nil {
						return err
					}
				}
				return status.Error(codes.OutOfRange, "that is all")
			}},
			{StreamName: "Echo", ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
				for {
					in := new(text)
					if err := s.RecvMsg(in); err == io.EOF {
						return nil
					} else if err != nil {
						return err
					}
					if err := s.SendMsg(in); err != nil {
						return err
					}
				}
			}},
		},
	}, nil)
	go s.Serve(ln)
	t.Cleanup(s.Stop)
	return ln.Addr().String()
}

func grpcClient(t testing.TB, addr string) *grpc.ClientConn {
	c, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// grpcRig is a gateway, alone and behind the edge, in front of a gRPC server.
func grpcRigs(t *testing.T, b *plan.Backend, change ...func(*plan.Route, *plan.Forward)) map[string]*rig {
	b.Protocol = plan.HTTP2
	g := gateway(to(b, change...))
	return map[string]*rig{
		"gateway": newRig(t, gatewayKey, nil, g),
		"edge":    newRig(t, plan.Edge, nil, edge(to(&plan.Backend{Key: "g", Next: g, Protocol: plan.HTTP2})), g),
	}
}

func TestGRPC(t *testing.T) {
	untold := &plan.HeaderRoute{}
	untold.Request.Remove = []string{"grpc-timeout"}
	for name, r := range grpcRigs(t, backend("grpc", grpcOrigin(t)), func(r *plan.Route, _ *plan.Forward) { r.Filters = []plan.Filter{untold} }) {
		t.Run(name, func(t *testing.T) {
			c := grpcClient(t, r.addr)
			t.Run("unary", func(t *testing.T) {
				out, trailer := new(text), metadata.MD{}
				ctx := metadata.AppendToOutgoingContext(t.Context(), "x-meta", "+meta")
				err := c.Invoke(ctx, "/test.Test/Unary", wrapperspb.String("x"), out, grpc.Trailer(&trailer))
				if err != nil || out.Value != "got x+meta" || strings.Join(trailer.Get("x-trailer"), ",") != "t" {
					t.Errorf("got %q, %v, trailers %v", out.Value, err, trailer)
				}
			})
			t.Run("large", func(t *testing.T) {
				long := strings.Repeat("x", 1<<20)
				out := new(text)
				if err := c.Invoke(t.Context(), "/test.Test/Unary", wrapperspb.String(long), out); err != nil || out.Value != "got "+long {
					t.Errorf("got %d bytes, %v", len(out.Value), err)
				}
			})
			t.Run("error with trailers only", func(t *testing.T) {
				err := c.Invoke(t.Context(), "/test.Test/Unary", wrapperspb.String("fail"), new(text))
				if s := status.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "50% are not there\nreally" {
					t.Errorf("got %v", err)
				}
			})
			t.Run("deadline", func(t *testing.T) { // the client's: the server is not told
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				if err := c.Invoke(ctx, "/test.Test/Unary", wrapperspb.String("wait"), new(text)); status.Code(err) != codes.DeadlineExceeded {
					t.Errorf("got %v", err)
				}
			})
			t.Run("server stream", func(t *testing.T) {
				s, err := c.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/test.Test/Count")
				if err != nil {
					t.Fatal(err)
				}
				s.SendMsg(wrapperspb.String("n"))
				s.CloseSend()
				for i := range 3 {
					out := new(text)
					if err := s.RecvMsg(out); err != nil || out.Value != fmt.Sprint("n", i) {
						t.Fatalf("got %q, %v", out.Value, err)
					}
				}
				if err := s.RecvMsg(new(text)); status.Code(err) != codes.OutOfRange {
					t.Errorf("got %v at the end", err)
				}
			})
			t.Run("two ways", func(t *testing.T) {
				s, err := c.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Test/Echo")
				if err != nil {
					t.Fatal(err)
				}
				for i := range 5 {
					s.SendMsg(wrapperspb.String(fmt.Sprint(i)))
					out := new(text)
					if err := s.RecvMsg(out); err != nil || out.Value != fmt.Sprint(i) {
						t.Fatalf("got %q, %v", out.Value, err)
					}
				}
				s.CloseSend()
				if err := s.RecvMsg(new(text)); err != io.EOF {
					t.Errorf("got %v at the end", err)
				}
			})
		})
	}
}

// A gateway tells a gRPC caller its failures as gRPC does.
func TestGRPCFailures(t *testing.T) {
	limited := func(_ *plan.Route, f *plan.Forward) { f.Limits.Total = 50 * time.Millisecond }
	for _, c := range []struct {
		name    string
		backend *plan.Backend
		change  func(*plan.Route, *plan.Forward)
		code    codes.Code
		message string
	}{
		{"refused", backend("b", nobody(t)), func(*plan.Route, *plan.Forward) {}, codes.Unavailable, envoyReset},
		{"timeout", backend("b", grpcOrigin(t)), limited, codes.Unavailable, "upstream request timeout"},
		{"no endpoint", backend("b"), func(*plan.Route, *plan.Forward) {}, codes.Unavailable, "no healthy upstream"},
	} {
		c.backend.Protocol = plan.HTTP2
		r := newRig(t, gatewayKey, nil, gateway(to(c.backend, c.change)))
		conn := grpcClient(t, r.addr)
		err := conn.Invoke(t.Context(), "/test.Test/Unary", wrapperspb.String("wait"), new(text))
		if s := status.Convert(err); s.Code() != c.code || !strings.Contains(s.Message(), c.message) {
			t.Errorf("%s: got %v, want %s with %q", c.name, err, c.code, c.message)
		}
	}
}

// gRPC-Web is HTTP like any other.
func TestGRPCWebPassesThrough(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		io.Copy(w, r.Body)
	})
	r := newRig(t, plan.Edge, nil, edge(to(backend("up", up))))
	frame := "\x00\x00\x00\x00\x05hello\x80\x00\x00\x00\x0fgrpc-status:0\r\n"
	req := r.request("POST", "/test.Test/Unary", strings.NewReader(frame))
	req.Header.Set("Content-Type", "application/grpc-web+proto")
	if resp, body := r.do(req); body != frame || resp.Header.Get("Content-Type") != "application/grpc-web+proto" {
		t.Errorf("got %q %v", body, resp.Header)
	}
}
