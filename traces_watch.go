package memfault

import (
	"context"
	"iter"
)

// Watch polls the traces of a project, and yields each new one. See [WatchOptions] for the
// rules of all watches. If the watch cannot continue, or ctx ends, the iterator yields the error
// once and stops.
//
// Traces are listed by the time at which a device captured them, but arrive when the device is
// connected. Watch yields them in the order in which Memfault created them. Lookback is the
// longest time from the capture to the arrival of a trace. A trace that was captured with a
// clock that is further behind, such as a clock that was never set, is found only by a watch
// that starts with [WatchBeginning].
//
// UNCERTAIN: with which time of a trace Memfault compares the filter since. Watch works with any
// of the three, and with a trace that is in the list up to an hour after its created_date. If
// the response does not contain that, Watch takes received_date, or otherwise captured_date.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in programs of device makers.
func (s *TracesService) Watch(ctx context.Context, project ProjectRef, options WatchOptions, opts ...CallOption) iter.Seq2[WatchItem[Trace], error] {
	return watchList(ctx, watchSource[Trace]{
		name: "Traces.Watch", path: project.path(), key: (*Trace).watchKey, time: (*Trace).watchTime,
		list: func(since Timestamp, opts []CallOption) *Pager[Trace] {
			return s.List(project, TraceListOptions{Since: since}, opts...)
		},
	}, options, opts)
}

func (t *Trace) watchKey() uint64 { return uint64(t.ID) } //nolint:gosec // any number identifies it

func (t *Trace) watchTime() Timestamp {
	return firstTime(t.CreatedDate, t.ReceivedDate, t.CapturedDate)
}
