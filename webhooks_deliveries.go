package memfault

import (
	"crypto/sha256"
	"sync"
)

// webhookDeliveries are the deliveries for which the function of the user runs, and the last
// deliveries for which it succeeded.
type webhookDeliveries struct {
	limit int // the number of succeeded deliveries that are kept; none if negative

	mu     sync.Mutex
	byKey  map[[sha256.Size]byte]*webhookDelivery
	oldest int                 // index in kept, once kept is full
	kept   [][sha256.Size]byte // a ring
}

type webhookDelivery struct {
	ended     chan struct{}
	succeeded bool // valid once ended is closed
}

// begin returns the delivery that is in flight or remembered under key. If there is none, begin
// registers a new delivery and first is true; the caller must then call end.
func (d *webhookDeliveries) begin(key [sha256.Size]byte) (delivery *webhookDelivery, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if delivery := d.byKey[key]; delivery != nil {
		return delivery, false
	}
	if d.byKey == nil {
		d.byKey = map[[sha256.Size]byte]*webhookDelivery{}
	}
	delivery = &webhookDelivery{ended: make(chan struct{})}
	d.byKey[key] = delivery
	return delivery, true
}

// end remembers the delivery if it succeeded; otherwise it removes the delivery.
func (d *webhookDeliveries) end(key [sha256.Size]byte, delivery *webhookDelivery, succeeded bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !succeeded || d.limit < 0:
		delete(d.byKey, key)
	case len(d.kept) < d.limit:
		d.kept = append(d.kept, key)
	default:
		delete(d.byKey, d.kept[d.oldest])
		d.kept[d.oldest] = key
		d.oldest = (d.oldest + 1) % d.limit
	}
	delivery.succeeded = succeeded
	close(delivery.ended)
}
