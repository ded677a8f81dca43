package ordered

import (
	"strings"
	"time"
)

// item is an item whose done function has not been called.
type item struct {
	next    *item
	content []byte
	done    func(error)
	epoch   *epoch
	at      time.Duration // when it was queued
}

// itemList contains items in order. A list frees each item as soon as it is removed, which
// the array behind a slice would not.
type itemList struct {
	first, last *item
	n           int
}

func (l *itemList) push(it *item) {
	if l.last == nil {
		l.first = it
	} else {
		l.last.next = it
	}
	l.last = it
	l.n++
}

// pop removes the first item. The list must not be empty.
func (l *itemList) pop() *item {
	it := l.first
	l.first = it.next
	if l.first == nil {
		l.last = nil
	}
	it.next = nil
	l.n--
	return it
}

type state uint8

const (
	idle      state = iota
	ready           // in Sender.ready
	sending         // a request is in flight
	reporting       // done functions are called
	held            // waits until device.until
)

// device contains the items of one device, and what its last outcomes were.
type device struct {
	name      string
	items     itemList // pending, those in flight included
	reports   itemList // neither pending nor reported
	reportErr error    // of reports
	used      int64    // bytes, bookkeeping included
	waits     bool     // after a failure; see room.held

	state   state
	request *request // in flight
	sent    int      // so many of the first items were in a request
	retry   int      // so many of them are sent again as one batch; 0 if the next batch is new
	fit     *fit     // nil unless a batch was too much

	standing       standing
	accepted       time.Duration // when its last batch was, if it is proven
	failures       int           // consecutive
	lastErr        error         // of the last outcome
	refused        bool          // since a batch was accepted
	losses         int           // consecutive requests for the first items that had no response
	ownFailures    int           // failures of the first items alone; see countOwn
	acceptedBefore int64         // brake.accepted at the last outcome
	until          time.Duration // held until then
	asked          bool          // the service asked for the wait: it does not end earlier

	turn    int // of the goroutine that calls done functions
	calling *item
	since   time.Duration // of the call
	ticks   int           // of the abort, during the call

	prev, next *device       // in Sender.ready or Sender.outage
	wake       time.Duration // in Sender.timed
	index      int           // in Sender.timed; -1 if it is not there
}

// devices contains devices by name. It is rebuilt when most of them are gone: the memory of
// a map never shrinks.
type devices struct {
	byName map[string]*device
	most   int // devices since it was built
}

const smallMap = 1 << 10

func (m *devices) len() int { return len(m.byName) }

func (m *devices) get(name string) *device { return m.byName[name] }

func (m *devices) add(name string, accepted int64) *device {
	if m.byName == nil {
		m.byName = map[string]*device{}
	}
	d := &device{name: strings.Clone(name), index: -1, standing: unknown, acceptedBefore: accepted}
	m.byName[d.name] = d
	m.most = max(m.most, len(m.byName))
	return d
}

func (m *devices) remove(d *device) {
	delete(m.byName, d.name)
	if m.most > smallMap && len(m.byName) < m.most/4 {
		smaller := make(map[string]*device, len(m.byName))
		for name, d := range m.byName {
			smaller[name] = d
		}
		m.byName, m.most = smaller, max(len(smaller), smallMap)
	}
}

// deviceList is a first-in, first-out list of devices.
type deviceList struct {
	first, last *device
	n           int
}

func (l *deviceList) push(d *device) {
	if d.prev = l.last; l.last == nil {
		l.first = d
	} else {
		l.last.next = d
	}
	l.last = d
	l.n++
}

func (l *deviceList) remove(d *device) {
	l.n--
	if d.prev == nil {
		l.first = d.next
	} else {
		d.prev.next = d.next
	}
	if d.next == nil {
		l.last = d.prev
	} else {
		d.next.prev = d.prev
	}
	d.prev, d.next = nil, nil
}

// timedQueue is a heap of devices, ordered by device.wake.
type timedQueue []*device

func (q timedQueue) Len() int           { return len(q) }
func (q timedQueue) Less(i, j int) bool { return q[i].wake < q[j].wake }

func (q timedQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements heap.Interface.
func (q *timedQueue) Push(x any) {
	d, _ := x.(*device)
	d.index = len(*q)
	*q = append(*q, d)
}

// Pop implements heap.Interface.
func (q *timedQueue) Pop() any {
	old := *q
	d := old[len(old)-1]
	old[len(old)-1] = nil
	d.index = -1
	*q = old[:len(old)-1]
	if len(*q) == 0 && cap(*q) > smallMap {
		*q = nil
	}
	return d
}
