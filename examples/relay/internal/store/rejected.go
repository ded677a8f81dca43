package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers of a rejected chunk.
const (
	headerSerial    = "Relay-Serial"
	headerReason    = "Relay-Reason"
	headerTruncated = "Relay-Truncated"
)

// unknownTenant is in the subject of messages whose tenant is not known. It cannot be the name
// of a tenant.
const unknownTenant = "@"

// Rejected is a chunk that was not accepted as it is.
type Rejected struct {
	Sequence  uint64 // in the stream of rejected chunks
	Tenant    string // empty if Serial is a topic of an unknown tenant
	Serial    string
	Reason    string
	Truncated bool // whether the end of it is missing
	Chunk     []byte
}

// PutRejected keeps a chunk that cannot be delivered, with the reason. It returns [ErrFull] if
// there is no room. The tenant is empty if only the topic of the chunk is known, and serial is
// then the topic.
func (s *Store) PutRejected(ctx context.Context, tenant, serial string, chunk []byte, reason error) error {
	if err := s.room(chunk); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	if tenant == "" {
		tenant = unknownTenant
	}
	msg := nats.NewMsg("rejected." + tenant)
	msg.Header.Set(headerSerial, strconv.Quote(serial))
	msg.Header.Set(headerReason, strconv.Quote(reason.Error()))
	if limit := int(s.Conn.MaxPayload()) - 8<<10; limit > 0 && len(chunk) > limit {
		msg.Header.Set(headerTruncated, strconv.Itoa(len(chunk)))
		chunk = chunk[:limit]
	}
	msg.Data = chunk
	_, err := s.JS.PublishMsg(ctx, msg)
	return putError(err)
}

// LastRejected returns the sequence of the last rejected chunk.
func (s *Store) LastRejected(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	info, err := s.rejected.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return info.State.LastSeq, nil
}

// NextRejected returns the first rejected chunk with a sequence of at least from, of a tenant,
// or of all if tenant is empty. It returns nil if there is none.
func (s *Store) NextRejected(ctx context.Context, tenant string, from uint64) (*Rejected, error) {
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	if tenant == "" {
		tenant = "*"
	}
	msg, err := s.rejected.GetMsg(ctx, from, jetstream.WithGetMsgSubject("rejected."+tenant))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("relay: reading the rejected chunks: %w", err)
	}
	r := &Rejected{
		Sequence: msg.Sequence, Tenant: strings.TrimPrefix(msg.Subject, "rejected."), Chunk: msg.Data,
		Truncated: msg.Header.Get(headerTruncated) != "",
	}
	if r.Tenant == unknownTenant {
		r.Tenant = ""
	}
	if r.Serial, err = strconv.Unquote(msg.Header.Get(headerSerial)); err == nil {
		r.Reason, err = strconv.Unquote(msg.Header.Get(headerReason))
	}
	if err != nil {
		return nil, fmt.Errorf("relay: the rejected chunk %d was not stored by a relay", r.Sequence)
	}
	return r, nil
}

// DeleteRejected deletes a rejected chunk.
func (s *Store) DeleteRejected(ctx context.Context, sequence uint64) error {
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	err := s.rejected.DeleteMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	return err
}
