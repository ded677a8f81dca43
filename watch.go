package memfault

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"iter"
	"net/http"
	"time"

	"github.com/memfault-go/memfault/internal/watch"
)

// WatchCursor is a position in a watched list. A cursor is a text of letters, digits, - and _
// that a program can store anywhere, usually below 1 KB and at most 30 KB long.
// [WatchItem.Cursor] returns one. It is valid for the watched list: the method, the project,
// and the device. For any other list, or if the cursor was changed, the watch fails with
// [ErrInvalidArgument].
type WatchCursor string

// Positions at which a watch can start without a stored cursor.
const (
	WatchNow       WatchCursor = ""          // only items that appear after the first poll
	WatchBeginning WatchCursor = "beginning" // also all items that are already there
)

// WatchOptions configures [IssuesService.Watch], [TracesService.Watch] and
// [DevicesService.WatchReboots].
//
// # Polls
//
// The first poll is immediate. After a poll with new items, the next one follows after
// MinInterval. While no item appears, the interval doubles up to MaxInterval. Each poll reads
// the items of the last hours again, because items can appear late; see Lookback. It costs at
// least one request, and one more for each further 100 items.
//
// A poll that fails with [ErrTemporary] does not end the watch. It is retried, first after
// MinInterval, then after growing intervals up to MaxInterval, but not before the time in
// Retry-After. Each request is also retried by the client's [RetryPolicy]. Any other error ends
// the watch. An [OrganizationToken] that is replaced while the watch runs therefore ends it; use
// [OrganizationTokenFunc] instead. A 500 does not end the watch, although Memfault may also
// respond with 500 if a slug does not exist; OnError observes it.
//
// # Order and guarantees
//
// Items are yielded in the order of their time, the oldest first. If several polls are needed
// to find them, an item that appears late comes after newer items. No item is yielded twice,
// not even after a restart from a cursor. Memory is bounded: of a long list, the watch keeps
// at most about 100,000 items, and reads the list again for each further 50,000.
//
// The watch cannot find items that appear later than Lookback allows. If more than 1,000 items
// are within the time in which the watch looks for late items, it looks for them only among
// the newest 1,000. Items whose time is in the future are yielded, but if there are more than
// 500, the others are yielded when their time has come.
type WatchOptions struct {
	Start WatchCursor // [WatchNow] by default

	MinInterval time.Duration // 15 s by default
	MaxInterval time.Duration // 5 min by default, at least MinInterval

	// Once ends the watch when it has caught up: after the first poll that read everything. A
	// job that runs each night stores the cursor of the last item, or the one from OnPoll, and
	// the next run yields what is new since, with the guarantees above.
	Once bool

	// Lookback is the time by which items can be late and are still found; 24 hours by
	// default. Each method describes which time is meant.
	Lookback time.Duration

	// OnError is called for each failed poll after which the watch continues.
	OnError func(error)
	// OnPoll is called after each successful poll, when its items have been yielded. The
	// cursor covers them. A program that starts with [WatchNow] should store it, because
	// it has no other cursor until the first item appears.
	OnPoll func(WatchCursor)
}

// WatchItem is an item that a watch has found.
type WatchItem[T any] struct {
	Item T

	state *watch.State
	scope uint64
}

// Cursor returns the position after the item. A watch that starts there yields the next item
// first. A program that stores the cursor after it has processed the item processes each item
// at least once, and exactly once if it stores both in one transaction. Cursor can also be
// called after the loop. For an item that no watch has yielded, it returns [WatchNow].
func (i WatchItem[T]) Cursor() WatchCursor {
	if i.state == nil {
		return WatchNow
	}
	return WatchCursor(i.state.Encode(i.scope))
}

const (
	watchMaxSeen  = 1000
	watchMaxBatch = 50_000
	// watchOverlap is the time between the creation of an item on the server and the moment
	// at which it is in the list.
	watchOverlap = time.Hour
)

// watchSource describes a list that can be watched.
type watchSource[T any] struct {
	name     string
	path     []string // identifies the list, with name
	list     func(since Timestamp, opts []CallOption) *Pager[T]
	key      func(*T) uint64
	time     func(*T) Timestamp
	byDevice bool // the time is of the device's clock, and since is compared with it
	missing  bool // ErrNotFound does not end the watch
}

// watchList returns the iterator of a Watch method.
func watchList[T any](ctx context.Context, source watchSource[T], options WatchOptions, opts []CallOption) iter.Seq2[WatchItem[T], error] {
	return func(yield func(WatchItem[T], error) bool) {
		err := runWatch(ctx, source, options, opts, func(item WatchItem[T]) bool { return yield(item, nil) })
		if err != nil {
			yield(WatchItem[T]{}, err)
		}
	}
}

func runWatch[T any](ctx context.Context, source watchSource[T], options WatchOptions, opts []CallOption, yield func(WatchItem[T]) bool) error {
	if ctx == nil {
		return invalid("%s: nil context", source.name)
	}
	scope := watchScope(source.name, source.path)
	start, err := options.start(source.name, scope)
	if err != nil {
		return err
	}
	config := watch.Config[T]{
		Fetch: source.fetch(opts), Overlap: watchOverlap, Behind: options.Lookback, MaxSeen: watchMaxSeen, MaxBatch: watchMaxBatch,
		MinInterval: options.MinInterval, MaxInterval: options.MaxInterval, Once: options.Once,
		Final: source.final, RetryAfter: retryAfterOf, OnError: options.OnError,
	}
	if source.byDevice {
		config.Overlap, config.Behind = options.Lookback, 0
	}
	if options.OnPoll != nil {
		config.OnPoll = func(s watch.State) { options.OnPoll(WatchCursor(s.Encode(scope))) }
	}
	err = watch.Run(ctx, config, start, func(item T, s watch.State) bool { return yield(WatchItem[T]{item, &s, scope}) })
	if err != nil && ctx.Err() != nil {
		return newKindError(ErrNoAnswer, "%s: %w", source.name, contextError(ctx))
	}
	return err
}

// start checks the options, sets their defaults and returns the state to start from.
func (o *WatchOptions) start(name string, scope uint64) (watch.State, error) {
	if o.MinInterval < 0 || o.MaxInterval < 0 || o.Lookback < 0 {
		return watch.State{}, invalid("%s: MinInterval, MaxInterval and Lookback must not be negative", name)
	}
	if o.MaxInterval == 0 {
		o.MaxInterval = max(5*time.Minute, o.MinInterval)
	}
	if o.MinInterval == 0 {
		o.MinInterval = min(15*time.Second, o.MaxInterval)
	}
	if o.MinInterval > o.MaxInterval {
		return watch.State{}, invalid("%s: MinInterval %v is greater than MaxInterval %v", name, o.MinInterval, o.MaxInterval)
	}
	if o.Lookback == 0 {
		o.Lookback = 24 * time.Hour
	}
	switch o.Start {
	case WatchNow:
		return watch.Now(), nil
	case WatchBeginning:
		return watch.Beginning(), nil
	}
	state, err := watch.Decode(string(o.Start), scope)
	if err != nil {
		return state, invalid("%s: invalid cursor: %w", name, err)
	}
	return state, nil
}

// errListShrank is the error of a poll during which items were removed from the list: others
// may have moved to pages that were read before.
var errListShrank = errors.New("memfault: items were removed from the list while its pages were read")

// fetch reads the list from since.
func (s watchSource[T]) fetch(opts []CallOption) func(context.Context, time.Time, func(watch.Item[T])) (time.Time, error) {
	return func(ctx context.Context, since time.Time, each func(watch.Item[T])) (now time.Time, err error) {
		var response Response
		var from Timestamp
		if !since.IsZero() {
			from = NewTimestamp(since)
		}
		total := 0
		for page, err := range s.list(from, withExtraResponse(opts, &response)).Pages(ctx) {
			switch {
			case err != nil:
				return now, err
			case page.Paging.TotalCount < total:
				return now, newKindError(ErrUnexpectedResponse, "%s: %w", s.name, errListShrank)
			case now.IsZero():
				now, _ = http.ParseTime(response.Header.Get("Date")) // zero if there is none
			}
			total = page.Paging.TotalCount
			for i := range page.Items {
				each(watch.Item[T]{Time: s.time(&page.Items[i]).Time, Key: s.key(&page.Items[i]), Value: page.Items[i]})
			}
		}
		return now, nil
	}
}

// final reports whether an error ends the watch.
func (s watchSource[T]) final(err error) bool {
	survives := errors.Is(err, ErrTemporary) || errors.Is(err, errListShrank) || s.missing && errors.Is(err, ErrNotFound)
	return !survives
}

// retryAfterOf returns the wait that a response demands, at most an hour.
func retryAfterOf(err error) time.Duration {
	var failed *Error
	if !errors.As(err, &failed) {
		return 0
	}
	return min(failed.RetryAfter, time.Hour)
}

// watchScope hashes what identifies a list.
func watchScope(name string, path []string) uint64 {
	hash := fnv.New64a()
	for _, part := range append([]string{name}, path...) {
		_, _ = hash.Write(append([]byte(part), 0)) // never fails
	}
	return hash.Sum64()
}

// Watch polls the issues of a project, and yields each new one. The state of the issue is that
// at the time of the poll. See [WatchOptions] for the rules of all watches. If the watch cannot
// continue, or ctx ends, the iterator yields the error once and stops.
//
// An issue is new once in its life, when it is created. A later change of its status is not
// yielded, because the API offers no list of changes; see [NewWebhookHandler] for events such
// as [WebhookTypeIssueResolved]. The times of an issue are those of its traces, by the clocks of
// devices: Lookback is the age up to which the last trace of a new issue may be.
//
// UNCERTAIN(issue-created-date): whether newer responses contain the created_date, from which
// Watch takes the order of issues. Otherwise it takes first_seen; then an issue is found only if
// it appears within an hour of newer ones.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/list-issues
func (s *IssuesService) Watch(ctx context.Context, project ProjectRef, options WatchOptions, opts ...CallOption) iter.Seq2[WatchItem[Issue], error] {
	return watchList(ctx, watchSource[Issue]{
		name: "Issues.Watch", path: project.path(), key: (*Issue).watchKey, time: (*Issue).watchTime,
		list: func(since Timestamp, opts []CallOption) *Pager[Issue] {
			return s.List(project, IssueListOptions{ListOptions: ListOptions{Sort: Descending(SortFirstSeen)}, LastSeenSince: since}, opts...)
		},
	}, options, opts)
}

func (i *Issue) watchKey() uint64 { return uint64(i.ID) } //nolint:gosec // any number identifies it

func (i *Issue) watchTime() Timestamp { return firstTime(i.CreatedDate, i.FirstSeen) }

// firstTime returns the first timestamp that is set.
func firstTime(times ...Timestamp) Timestamp {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return Timestamp{}
}

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
// UNCERTAIN(trace-since): with which time of a trace Memfault compares the filter since. Watch
// works with any of the three, and with a trace that is in the list up to an hour after its
// created_date. If the response does not contain that, Watch takes received_date, or otherwise
// captured_date.
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

// WatchReboots polls the reboots of a device, and yields each new one. See [WatchOptions] for
// the rules of all watches. If the watch cannot continue, or ctx ends, the iterator yields the
// error once and stops. If the device does not exist because it has never reported, WatchReboots
// keeps polling; [WatchOptions.OnError] observes the [ErrNotFound].
//
// Reboots have no ID. Two of them with the same time, type, reason and register count as one.
// Their only time is that of the reboot: Lookback is the longest time from a reboot to its
// report, during which newer reboots may be reported.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's own tests and in dashboards.
func (s *DevicesService) WatchReboots(ctx context.Context, project ProjectRef, deviceSerial string, options WatchOptions, opts ...CallOption) iter.Seq2[WatchItem[Reboot], error] {
	return watchList(ctx, watchSource[Reboot]{
		name: "Devices.WatchReboots", path: project.path(deviceSerial), key: (*Reboot).watchKey,
		time: func(r *Reboot) Timestamp { return r.Time }, byDevice: true, missing: true,
		list: func(since Timestamp, opts []CallOption) *Pager[Reboot] {
			return s.ListReboots(project, deviceSerial, RebootListOptions{Since: since}, opts...)
		},
	}, options, opts)
}

func (r *Reboot) watchKey() uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(r.Type)) // never fails
	register := int64(-1)
	if r.MCUReasonRegister != nil {
		register = *r.MCUReasonRegister
	}
	data := binary.AppendVarint(nil, r.Time.UnixMicro())
	data = binary.AppendVarint(data, int64(r.Reason))
	_, _ = hash.Write(binary.AppendVarint(data, register))
	return hash.Sum64()
}
