// Package inspect counts the messages that the chunks of devices contain, whole and damaged.
// Memfault accepts a damaged message and drops it without a word, so a gateway that cuts,
// swaps or re-encodes chunks is found nowhere else.
package inspect

import (
	"container/list"
	"time"

	"github.com/memfault-go/memfault/chunk"
)

// Limits of an [Inspector].
const (
	mostDevices = 2_000
	mostBytes   = 1 << 20   // of incomplete messages of all devices
	mostOf      = 512 << 10 // of the incomplete message of one device
	logEvery    = time.Minute
)

// Device identifies a device.
type Device struct{ Tenant, Serial string }

// Inspector reads the chunks of many devices with a limited memory. It forgets the devices whose
// last chunk is the oldest. The first chunk that it knows of a device can be in the middle of a
// message; this message is not counted. It is not safe for concurrent use by multiple
// goroutines.
type Inspector struct {
	entries map[Device]*list.Element // of *entry
	order   *list.List               // the latest first
	bytes   int
}

type entry struct {
	device    Device
	assembler chunk.Assembler
	began     bool // whether the beginning of a message was seen
	bytes     int
	logged    time.Time
}

// New returns an [Inspector].
func New() *Inspector { return &Inspector{entries: map[Device]*list.Element{}, order: list.New()} }

// Result is what a chunk shows.
type Result struct {
	Complete bool // whether it completes a message
	Damaged  int  // messages
	// Damage describes the damage. It is nil if the device had damage within the last minute,
	// so that the log is not flooded.
	Damage error
}

// Add reads the next chunk of a device.
func (i *Inspector) Add(device Device, content []byte, now time.Time) Result {
	e := i.entry(device)
	message, err := e.assembler.Add(content)
	result := Result{Complete: message != nil}
	for _, damage := range chunk.Damages(err) {
		if damage.Kind == chunk.DamageNoStart && !e.began {
			continue
		}
		result.Damaged++
		if now.Sub(e.logged) >= logEvery {
			e.logged, result.Damage = now, damage
		}
	}
	pending, _ := e.assembler.Pending()
	e.began = e.began || message != nil || pending > 0
	i.bytes += pending - e.bytes
	e.bytes = pending
	if pending > mostOf {
		i.drop(i.entries[device])
	}
	for len(i.entries) > mostDevices || i.bytes > mostBytes {
		i.drop(i.order.Back())
	}
	return result
}

func (i *Inspector) entry(device Device) *entry {
	if element := i.entries[device]; element != nil {
		i.order.MoveToFront(element)
		return element.Value.(*entry)
	}
	e := &entry{device: device}
	i.entries[device] = i.order.PushFront(e)
	return e
}

func (i *Inspector) drop(element *list.Element) {
	e := i.order.Remove(element).(*entry)
	delete(i.entries, e.device)
	i.bytes -= e.bytes
}
