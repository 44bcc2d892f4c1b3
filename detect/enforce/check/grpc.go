package check

import (
	"context"
	"net/http"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	kind "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"flyball/detect/enforce/problem"
	"flyball/schema/identity"
)

// Register registers Envoy's authorization service (ext_authz v3) with a gRPC server.
func (c *Checker) Register(s *grpc.Server) { auth.RegisterAuthorizationServer(s, &authorization{c: c}) }

// authorization answers Envoy's requests.
type authorization struct {
	auth.UnimplementedAuthorizationServer
	c *Checker
}

// Check answers Envoy. Every answer sets ids as dynamic metadata, which the access log contains on
// allow and on deny, and which no client can set.
func (a *authorization) Check(ctx context.Context, in *auth.CheckRequest) (*auth.CheckResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	if !a.c.o.isGateway(firstValue(md, "x-flyball-token"), firstValue(md, "authorization"), isTrustedRPC(ctx)) {
		return nil, grpcstatus.Error(codes.Unauthenticated, "the gateway's token is missing or wrong")
	}
	ans := a.c.guarded(func() answer { return a.answer(in) })
	var own []*core.HeaderValueOption
	for _, h := range ans.headers() {
		own = append(own, header(strings.ToLower(h[0]), h[1]))
	}
	out := &auth.CheckResponse{DynamicMetadata: ans.metadata()}
	switch ans.status {
	case http.StatusOK:
		out.Status = &status.Status{Code: int32(codes.OK)}
		out.HttpResponse = &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{Headers: own}}
		return out, nil
	case http.StatusServiceUnavailable:
		// An error instead of a denial: Envoy's failure mode decides.
		return nil, grpcstatus.Error(codes.Unavailable, "breakers are being loaded")
	}
	out.Status = &status.Status{Code: int32(codes.PermissionDenied)}
	out.HttpResponse = &auth.CheckResponse_DeniedResponse{DeniedResponse: &auth.DeniedHttpResponse{
		Status: &kind.HttpStatus{Code: kind.StatusCode(ans.status)}, Body: string(ans.problem()),
		Headers: append(own, header("content-type", problem.MediaType))}}
	return out, nil
}

func (a *authorization) answer(in *auth.CheckRequest) answer {
	req := in.GetAttributes().GetRequest().GetHttp()
	headers := req.GetHeaders()
	peer := identity.ParseAddress(in.GetAttributes().GetSource().GetAddress().GetSocketAddress().GetAddress())
	return a.c.check(&request{method: req.GetMethod(), path: req.GetPath(), host: req.GetHost(), body: shownBody(req),
		headers: func(name string) string { return headers[name] },
		client:  identity.ClientAddress(peer, headers["x-forwarded-for"], a.c.o.TrustedHops)})
}

// metadata returns the ids of the answer for Envoy's access log.
func (a *answer) metadata() *structpb.Struct {
	fields := map[string]*structpb.Value{"decision_id": structpb.NewStringValue(a.decision), "why": structpb.NewStringValue(a.why),
		"action": structpb.NewStringValue(a.action.String())}
	for name, value := range map[string]string{"run_id": a.run, "receipt": a.receipt, "gate_id": a.gate, "would": a.would} {
		if value != "" {
			fields[name] = structpb.NewStringValue(value)
		}
	}
	return &structpb.Struct{Fields: fields}
}

// shownBody returns the part of the body that Envoy is configured to send
// (with_request_body), at most one byte more than is used: that byte shows that the body
// is too long.
func shownBody(r *auth.AttributeContext_HttpRequest) []byte {
	if raw := r.GetRawBody(); len(raw) > 0 {
		return raw[:min(len(raw), MaxBody+1)]
	}
	b := r.GetBody()
	return []byte(b[:min(len(b), MaxBody+1)])
}

func header(name, value string) *core.HeaderValueOption {
	return &core.HeaderValueOption{Header: &core.HeaderValue{Key: name, Value: value},
		AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD}
}

func firstValue(md metadata.MD, key string) string {
	if v := md.Get(key); len(v) > 0 {
		return v[0]
	}
	return ""
}
