package service

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/relay/internal/deliver"
	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

func (r *relay) deliverConfig() deliver.Config {
	return deliver.Config{
		Store: r.store, Tenants: r.config.Tenants, Logger: r.config.Logger, Client: r.client,
		Unacknowledged: r.config.Unacknowledged, Memory: deliver.NewBudget(r.config.Memory),
		MemoryPerDevice: r.config.MemoryPerDevice, Concurrency: r.config.Concurrency, HandOver: 2 * time.Second,
		Paused:    func(tenant string) { r.metrics.pauses.WithLabelValues(tenant).Inc() },
		Rejected:  func(tenant string) { r.metrics.rejected.WithLabelValues(tenant).Inc() },
		Restarted: func(reason string) { r.metrics.restarts.WithLabelValues(reason).Inc() },
		Messages:  r.metrics.countMessages,
		Step:      r.config.Step,
	}
}

// client returns a client for the uploads of a tenant during one lease.
func (r *relay) client(tenant string, through func(http.RoundTripper) http.RoundTripper) (*memfault.Client, error) {
	transport := through(r.config.Transport)
	if r.config.Tracer != nil {
		transport = &tracing{tracer: r.config.Tracer, tenant: tenant, next: transport}
	}
	return memfault.NewClient(currentKey(r.config.Tenants.Key(tenant)), r.clientOptions(tenant, transport)...)
}

// checkTenant reports why no client can be built for a tenant.
func (r *relay) checkTenant(t tenants.Tenant) error {
	_, err := memfault.NewClient(memfault.ProjectKey(t.ProjectKey), r.clientOptions(t.Name, r.config.Transport)...)
	return err
}

func (r *relay) clientOptions(tenant string, transport http.RoundTripper) []memfault.Option {
	return append([]memfault.Option{
		memfault.WithHTTPClient(&http.Client{Transport: transport}),
		memfault.WithTimeout(r.config.UploadTimeout),
		memfault.WithUserAgent("memfault-relay"),
		memfault.WithObserver(func(_ context.Context, attempt memfault.Attempt) { r.metrics.observe(tenant, attempt) }),
	}, r.config.ClientOptions...)
}

// currentKey authenticates each attempt with the project key that the tenant has by then.
type currentKey func(context.Context) (string, error)

// Authenticate implements memfault.Authenticator.
func (k currentKey) Authenticate(request *http.Request) error {
	key, err := k(request.Context())
	if err != nil {
		return err
	}
	return memfault.ProjectKey(key).Authenticate(request)
}

// tracing creates a span for each attempt, named by the operation.
type tracing struct {
	tracer trace.Tracer
	tenant string
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *tracing) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, span := t.tracer.Start(request.Context(), memfault.OperationName(request.Context()),
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(
			attribute.String("memfault.tenant", t.tenant),
			attribute.String("http.request.method", request.Method),
			attribute.String("server.address", request.URL.Hostname()),
			attribute.String("url.path", request.URL.Path),
			attribute.Int64("http.request.body.size", request.ContentLength),
		))
	defer span.End()
	response, err := t.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		span.SetStatus(codes.Error, "no response")
		return nil, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", response.StatusCode))
	if response.StatusCode >= http.StatusBadRequest {
		span.SetStatus(codes.Error, response.Status)
	}
	return response, nil
}
