// Package intake receives chunks from devices, by HTTP and by MQTT, and stores them. A device
// receives a confirmation only after the store has acknowledged the chunk.
package intake

import (
	"context"
	"errors"
	"fmt"

	"github.com/memfault-go/memfault/examples/relay/internal/auth"
	"github.com/memfault-go/memfault/examples/relay/internal/limit"
	"github.com/memfault-go/memfault/examples/relay/internal/share"
	"github.com/memfault-go/memfault/examples/relay/internal/store"
	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

// Reason is why a chunk is not stored. It is the label of a metric.
type Reason string

// The reasons. The first ones are temporary: the device should send the chunk again later.
const (
	Full        Reason = "store_full"
	DeviceFull  Reason = "device_full"
	TenantFull  Reason = "tenant_full"
	Unavailable Reason = "store_unavailable"
	Closing     Reason = "shutting_down"
	Busy        Reason = "too_many_requests"

	UnknownTopic Reason = "unknown_tenant"
	BadSerial    Reason = "bad_serial"
	Empty        Reason = "empty_chunk"
	TooLarge     Reason = "chunk_too_large"
	Malformed    Reason = "malformed"
	Unsupported  Reason = "unsupported_media_type"
	QoS2         Reason = "qos_2"
	Unauthorized Reason = "unauthorized"
	OtherDevice  Reason = "other_device"
)

// bridgeTransport is the label of chunks from an existing broker, which has confirmed them.
const bridgeTransport = "bridge"

// Refusal is the error for a chunk that was not stored.
type Refusal struct {
	Reason Reason
	cause  error
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.cause == nil {
		return "relay: refused: " + string(r.Reason)
	}
	return fmt.Sprintf("relay: refused: %s: %v", r.Reason, r.cause)
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.cause }

// Temporary reports whether the same chunk can be stored later.
func (r *Refusal) Temporary() bool {
	switch r.Reason {
	case Full, DeviceFull, TenantFull, Unavailable, Closing, Busy:
		return true
	}
	return false
}

// Config configures the intake.
type Config struct {
	Store    *store.Store
	Tenants  *tenants.Set
	Shares   *share.Shares
	Auth     *auth.Auth
	Budget   *limit.Budget // of requests by HTTP
	MaxChunk int           // bytes of a chunk
	// Stored and Refused count chunks; they may be nil. The tenant is empty if it is unknown.
	Stored  func(transport, tenant string)
	Refused func(transport, tenant string, reason Reason)
	// Beyond counts stored chunks of devices above their share; it may be nil.
	Beyond func(tenant string)
}

// Intake stores chunks. Create it with [New].
type Intake struct {
	config  Config
	closing context.Context // ends when the relay shuts down
}

// New returns an [Intake] that stores no more chunks after closing has ended.
func New(closing context.Context, config Config) *Intake {
	return &Intake{config: config, closing: closing}
}

// accept stores a chunk, or returns a *Refusal.
func (i *Intake) accept(ctx context.Context, transport, tenant, serial string, chunk []byte) *Refusal {
	refusal := i.store(ctx, transport, tenant, serial, chunk)
	if refusal != nil {
		i.refused(transport, tenant, refusal.Reason)
	} else if i.config.Stored != nil {
		i.config.Stored(transport, tenant)
	}
	return refusal
}

func (i *Intake) store(ctx context.Context, transport, tenant, serial string, chunk []byte) *Refusal {
	switch {
	case i.closing.Err() != nil:
		return &Refusal{Reason: Closing}
	case !i.config.Tenants.Has(tenant):
		return &Refusal{Reason: UnknownTopic}
	case !tenants.ValidSerial(serial):
		return &Refusal{Reason: BadSerial}
	case len(chunk) == 0:
		return &Refusal{Reason: Empty}
	case len(chunk) > i.config.MaxChunk:
		return &Refusal{Reason: TooLarge}
	}
	if i.config.Shares.Full(tenant, len(chunk)) {
		return &Refusal{Reason: TenantFull}
	}
	var err error
	if transport == bridgeTransport {
		var beyond bool
		if beyond, err = i.config.Store.PutBeyond(ctx, tenant, serial, chunk); beyond && err == nil && i.config.Beyond != nil {
			i.config.Beyond(tenant)
		}
	} else {
		err = i.config.Store.Put(ctx, tenant, serial, chunk)
	}
	switch {
	case err == nil:
		i.config.Shares.Stored(tenant, len(chunk))
		return nil
	case errors.Is(err, store.ErrFull):
		return &Refusal{Full, err}
	case errors.Is(err, store.ErrDeviceFull):
		return &Refusal{DeviceFull, err}
	}
	return &Refusal{Unavailable, err}
}

// check returns a *Refusal if the credentials do not allow to send chunks of a device.
func (i *Intake) check(transport string, c auth.Credentials, tenant, serial string) *Refusal {
	err := i.config.Auth.Check(c, tenant, serial)
	if err == nil {
		return nil
	}
	refusal := &Refusal{Reason: Unauthorized}
	if errors.Is(err, auth.ErrOther) {
		refusal.Reason = OtherDevice
	}
	i.refused(transport, "", refusal.Reason) // without a tenant, which a stranger chooses
	return refusal
}

// Again stores a chunk that was rejected before.
func (i *Intake) Again(ctx context.Context, tenant, serial string, chunk []byte) error {
	if refusal := i.accept(ctx, "replay", tenant, serial, chunk); refusal != nil {
		return refusal
	}
	return nil
}

func (i *Intake) refused(transport, tenant string, reason Reason) {
	if i.config.Refused != nil {
		i.config.Refused(transport, tenant, reason)
	}
}
