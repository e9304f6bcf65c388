package extauthz

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/upstream"
)

// checkMethod is the one call of an authorizer (envoy.service.auth.v3).
const checkMethod = "/envoy.service.auth.v3.Authorization/Check"

// askGRPC asks over gRPC: one message there, one back.
func askGRPC(ctx context.Context, e *upstream.Endpoint, p *plan.Provider, q *plan.Check) (plan.Verdict, error) {
	if e.Cluster().Protocol() == plan.HTTP1 {
		return plan.Verdict{}, fmt.Errorf("%w: its port speaks HTTP/1.1; name the Service's port grpc", errCheck)
	}
	message, err := appendCheckRequest(make([]byte, 5, 1024), p, q, time.Now())
	if err != nil {
		return plan.Verdict{}, err
	}
	binary.BigEndian.PutUint32(message[1:], uint32(len(message)-5))
	f := header.Fields{{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"}}
	if deadline, ok := ctx.Deadline(); ok {
		f.Add("grpc-timeout", strconv.FormatInt(max(time.Until(deadline).Milliseconds(), 1), 10)+"m")
	}
	resp, err := e.RoundTrip(request2(ctx, http.MethodPost, p.Host, checkMethod, f, message))
	if err != nil {
		return plan.Verdict{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return plan.Verdict{}, fmt.Errorf("it answers %d to a gRPC call", resp.StatusCode)
	}
	body, err := readAll(resp.Body)
	if err != nil {
		return plan.Verdict{}, err
	}
	if err := grpcError(resp); err != nil {
		return plan.Verdict{}, err
	}
	message, err = unframe(body)
	if err != nil {
		return plan.Verdict{}, err
	}
	return readCheckResponse(message, q.Request.Header)
}

// grpcError is what the call's status says; it stands in the trailers, or in the
// head of an answer without message.
func grpcError(resp *http.Response) error {
	status, text := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if status == "" {
		status, text = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	switch status {
	case "0":
		return nil
	case "":
		return errors.New("its answer has no grpc-status")
	}
	return fmt.Errorf("it answers with grpc-status %s %s", status, text)
}

// unframe returns the one message of a body.
func unframe(body []byte) ([]byte, error) {
	if len(body) < 5 || body[0] != 0 || uint64(binary.BigEndian.Uint32(body[1:])) != uint64(len(body)-5) {
		return nil, errors.New("its answer is not one plain gRPC message")
	}
	return body[5:], nil
}
