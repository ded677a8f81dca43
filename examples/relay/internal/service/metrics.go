package service

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/relay/internal/intake"
)

// metrics are the metrics of a relay.
type metrics struct {
	registry    *prometheus.Registry
	stored      *prometheus.CounterVec
	refused     *prometheus.CounterVec
	beyond      *prometheus.CounterVec
	attempts    *prometheus.HistogramVec
	pauses      *prometheus.CounterVec
	rejected    *prometheus.CounterVec
	restarts    *prometheus.CounterVec
	unconnected prometheus.Counter
	messages    *prometheus.CounterVec
	acquired    prometheus.Counter
	lost        prometheus.Counter
}

func newMetrics(r *relay) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		stored:   counter("relay_chunks_stored_total", "Chunks whose storage was confirmed to a device.", "transport", "tenant"),
		refused:  counter("relay_chunks_refused_total", "Chunks that were not stored.", "transport", "tenant", "reason"),
		beyond:   counter("relay_chunks_beyond_share_total", "Chunks from an existing broker that were stored above the share of their device.", "tenant"),
		attempts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "relay_memfault_request_seconds", Help: "Attempts of requests to Memfault; status 0 is no response.",
			Buckets: []float64{.01, .03, .1, .3, 1, 3, 10, 30},
		}, []string{"operation", "tenant", "status"}),
		pauses:      counter("relay_pauses_total", "How often the uploads of a tenant and partition paused because its project key was rejected.", "tenant"),
		rejected:    counter("relay_chunks_rejected_total", "Chunks that Memfault rejected; they are kept in "+"CHUNKS_REJECTED.", "tenant"),
		messages:    counter("relay_messages_total", "Messages in the chunks that Memfault accepted. Memfault drops those that are damaged.", "tenant", "result"),
		restarts:    counter("relay_partition_restarts_total", "New consumers during a lease.", "reason"),
		unconnected: prometheus.NewCounter(prometheus.CounterOpts{Name: "relay_connections_refused_total", Help: "Connections of devices above a limit."}),
		acquired:    prometheus.NewCounter(prometheus.CounterOpts{Name: "relay_leases_acquired_total", Help: "Leases acquired."}),
		lost:        prometheus.NewCounter(prometheus.CounterOpts{Name: "relay_leases_lost_total", Help: "Leases that expired or were taken."}),
	}
	m.registry.MustRegister(m.stored, m.refused, m.beyond, m.attempts, m.pauses, m.rejected, m.messages, m.restarts, m.unconnected, m.acquired, m.lost,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &gauges{relay: r})
	return m
}

func (m *metrics) countStored(transport, tenant string) {
	m.stored.WithLabelValues(transport, tenant).Inc()
}

func (m *metrics) countRefused(transport, tenant string, reason intake.Reason) {
	m.refused.WithLabelValues(transport, tenant, string(reason)).Inc()
}

func (m *metrics) countMessages(tenant string, complete bool, damaged int) {
	if complete {
		m.messages.WithLabelValues(tenant, "complete").Inc()
	}
	if damaged > 0 {
		m.messages.WithLabelValues(tenant, "damaged").Add(float64(damaged))
	}
}

func (m *metrics) observe(tenant string, attempt memfault.Attempt) {
	m.attempts.WithLabelValues(attempt.Operation, tenant, strconv.Itoa(attempt.StatusCode)).Observe(attempt.Duration.Seconds())
}

// gauges reads the state of the relay when it is asked for.
type gauges struct{ relay *relay }

// Describe implements prometheus.Collector.
func (g *gauges) Describe(chan<- *prometheus.Desc) {} // unchecked: its metrics depend on the tenants

// Collect implements prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	gauge := func(name, help string, value float64, tenant ...string) {
		var labels []string
		if len(tenant) > 0 {
			labels = []string{"tenant"}
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue, value, tenant...)
	}
	gauge("relay_connections", "Connections of devices.", float64(g.relay.listeners.connections()))
	if broker := g.relay.broker.Load(); broker != nil {
		gauge("relay_mqtt_sessions", "Sessions of devices by MQTT.", float64(broker.Sessions()))
	}
	gauge("relay_partitions", "Partitions that this relay delivers.", float64(g.relay.leases.Held()))
	if g.relay.bridge != nil {
		status := g.relay.bridge.Status()
		gauge("relay_bridge_active", "Whether this relay is the one that subscribes to the existing broker.", number(status.Active))
		gauge("relay_bridge_connected", "Whether it is subscribed for all tenants.", number(status.Connected))
	}
	for tenant, s := range g.relay.deliverer.Stats() {
		gauge("relay_chunks_in_memory", "Chunks in memory.", float64(s.InMemory), tenant)
		gauge("relay_chunks_rejected_waiting", "Rejected chunks that stay in the store because there is no room for rejected chunks.", float64(s.Unkept), tenant)
		gauge("relay_chunks_parked", "Chunks of full devices, which wait in the store.", float64(s.Parked), tenant)
		gauge("relay_devices_held", "Devices that wait after a failure.", float64(s.Held), tenant)
		gauge("relay_devices_parked", "Devices with parked chunks.", float64(s.ParkedDevices), tenant)
		gauge("relay_senders_paused", "Partitions whose uploads are paused.", float64(s.PausedSenders), tenant)
	}
	for tenant, bytes := range g.relay.shares.Used() {
		gauge("relay_tenant_store_bytes", "Bytes of a tenant in the store, of all relays.", float64(bytes), tenant)
		if limit := g.relay.tenantLimit(tenant); limit > 0 {
			gauge("relay_tenant_store_limit_bytes", "Bytes that a tenant may have in the store.", float64(limit), tenant)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	state, err := g.relay.store.State(ctx)
	disk, embedded := g.relay.store.Disk()
	gauge("relay_store_up", "Whether the store responds and can write.", number(err == nil && disk.Problem == nil))
	if embedded {
		gauge("relay_store_disk_free_bytes", "Free bytes of the disk of the embedded store; -1 is unknown.", float64(disk.Free))
		gauge("relay_store_disk_reserve_bytes", "Free bytes at which chunks are refused.", float64(disk.Reserve))
		gauge("relay_store_restarts", "Restarts of the embedded JetStream after it could not write.", float64(disk.Restarts))
	}
	if err != nil {
		return
	}
	age := 0.0
	if !state.Oldest.IsZero() {
		age = time.Since(state.Oldest).Seconds()
	}
	gauge("relay_store_chunks", "Chunks in the store, of all relays.", float64(state.Chunks))
	gauge("relay_store_bytes", "Bytes in the store, of all relays.", float64(state.Bytes))
	gauge("relay_store_limit_bytes", "Bytes that the store may contain.", float64(state.MaxBytes))
	gauge("relay_store_oldest_seconds", "Age of the oldest chunk in the store.", age)
	gauge("relay_store_replicas", "Replicas of each chunk.", float64(state.Replicas))
	gauge("relay_store_replicas_current", "Replicas that are up to date. A NATS server whose disk was full has none until it is restarted.", float64(state.CurrentReplicas))
	gauge("relay_rejected_chunks", "Rejected chunks that are kept.", float64(state.Rejected))
	gauge("relay_rejected_bytes", "Bytes of rejected chunks that are kept.", float64(state.RejectedBytes))
	gauge("relay_rejected_limit_bytes", "Bytes of rejected chunks that can be kept.", float64(state.MaxRejectedBytes))
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
