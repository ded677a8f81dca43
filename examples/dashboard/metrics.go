package main

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

// metrics are the metrics of /metrics.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec

	mu    sync.Mutex
	parts []*parts
}

var (
	partAge     = prometheus.NewDesc("dashboard_part_age_seconds", "Time since a part of the data was read.", []string{"project", "part"}, nil)
	partFailed  = prometheus.NewDesc("dashboard_part_failed", "Whether the last read of a part failed: 1, otherwise 0.", []string{"project", "part"}, nil)
	storeBytes  = prometheus.NewDesc("dashboard_store_bytes", "Size of the store.", []string{"project"}, nil)
	storeCounts = prometheus.NewDesc("dashboard_store_devices", "Devices in the store.", []string{"project"}, nil)
)

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dashboard_requests_total", Help: "Requests to Memfault; the status is 0 if there was no response.",
	}, []string{"operation", "status"})}
	m.registry.MustRegister(m.requests, m)
	return m
}

func (m *metrics) add(p *parts) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts = append(m.parts, p)
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// observe counts a request.
func (m *metrics) observe(ctx context.Context, attempt memfault.Attempt) {
	m.requests.WithLabelValues(attempt.Operation, strconv.Itoa(attempt.StatusCode)).Inc()
	reader.CountRequest(ctx, attempt)
}

// Describe sends the descriptions of the metrics that Collect sends.
func (m *metrics) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{partAge, partFailed, storeBytes, storeCounts} {
		descs <- desc
	}
}

// Collect sends the age of each part, and the size of each store.
func (m *metrics) Collect(values chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		values <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	for _, p := range m.parts {
		project := p.project.Project
		for _, name := range p.reader.Names() {
			status := p.reader.Status(name)
			if !status.Last.ReadAt.IsZero() {
				gauge(partAge, time.Since(status.Last.ReadAt).Seconds(), project, name)
			}
			failed := 0.0
			if status.Err != nil {
				failed = 1
			}
			gauge(partFailed, failed, project, name)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		if size, err := p.store.Size(ctx); err == nil {
			gauge(storeBytes, float64(size), project)
		}
		if _, devices, err := p.store.Devices(ctx, store.Filter{}, false, 0, 0); err == nil {
			gauge(storeCounts, float64(devices), project)
		}
		cancel()
	}
}
