package fakecloud

import (
	"bytes"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

const (
	keptProcessingLog = 60 * 24 * time.Hour // also the longest span of a request
	maxProcessingLog  = 100_000             // entries that the cloud keeps in a project; the oldest go first
	processingLogPage = 100                 // entries
	maxProcessingPage = 500                 // most entries that a request may ask for
)

// ProcessingLogEntry describes what happened while data of a device was processed.
//
// UNCERTAIN(processing-log-fields): the fields of an entry other than created_date. The fake cloud
// sends level, device_serial and message, and the Fields.
type ProcessingLogEntry struct {
	Created      time.Time // now by default
	Level        string    // error by default
	DeviceSerial string
	Message      string
	Fields       map[string]any
}

// processingLog contains the entries of a project in the order in which they were added.
type processingLog struct {
	entries []ProcessingLogEntry
	dropped int // number of entries that were removed
}

// AddProcessingLog adds entries to the processing log of the default project.
func (c *Cloud) AddProcessingLog(entries ...ProcessingLogEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range entries {
		c.logProcessing(c.seeded, e)
	}
}

func (c *Cloud) logProcessing(p *project, e ProcessingLogEntry) {
	if e.Created.IsZero() {
		e.Created = c.now()
	}
	if e.Level == "" {
		e.Level = "error"
	}
	e.Fields = maps.Clone(e.Fields)
	all := &p.processingLog
	all.entries = append(all.entries, e)
	if extra := len(all.entries) - maxProcessingLog; extra > 0 {
		all.entries, all.dropped = all.entries[extra:], all.dropped+extra
	}
}

func (c *Cloud) processingLogHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{operation.ProcessingLogList: c.listProcessingLog}
}

func (e *ProcessingLogEntry) view() object {
	view := object{}
	maps.Copy(view, e.Fields)
	view["created_date"], view["level"], view["message"] = stamp(e.Created), e.Level, e.Message
	if e.DeviceSerial != "" {
		view["device_serial"] = e.DeviceSerial
	}
	return view
}

// listProcessingLog pages by cursor. The cursor is the number of the last entry that was
// returned. Each page with entries links to a next one; the last page is empty.
//
// UNCERTAIN(processing-log-order): the order. Here the oldest entry comes first, so that a cursor
// that a client keeps leads to the entries that were added since.
func (c *Cloud) listProcessingLog(r *request) reply {
	now := c.now()
	start, end := r.times["start"], r.times["end"]
	if end.IsZero() {
		end = now
	}
	if start.IsZero() {
		start = end.Add(-keptProcessingLog)
	}
	size, after := processingLogPage, 0
	if refused, ok := r.cursorQuery(&size, &after); !ok {
		return refused
	}
	if end.Sub(start) > keptProcessingLog {
		return invalid("start", "The span must not be longer than 60 days.")
	}
	all, views, last := r.project.processingLog, []object{}, after
	for i := max(after-all.dropped, 0); i < len(all.entries) && len(views) < size; i++ {
		e := &all.entries[i]
		if r.wants("level", e.Level) && !e.Created.Before(start) && !e.Created.After(end) && now.Sub(e.Created) <= keptProcessingLog {
			views, last = append(views, e.view()), all.dropped+i+1
		}
	}
	if len(views) == 0 {
		return bare(object{"data": views, "links": object{"next": nil}})
	}
	query := url.Values{"page[after]": {cursor(last)}, "page[size]": {strconv.Itoa(size)}, "end": {utc(end)}}
	for _, name := range []string{"start", "level"} {
		if r.query.Has(name) {
			query[name] = r.query[name]
		}
	}
	return bare(object{"data": views, "links": object{"next": r.URL.EscapedPath() + "?" + query.Encode()}})
}

// cursorQuery reads page[size] and page[after], and rejects page and per_page.
func (r *request) cursorQuery(size, after *int) (reply, bool) {
	for _, name := range []string{"page", "per_page"} {
		if r.query.Has(name) {
			return invalid(name, "Unknown field."), false
		}
	}
	if text := r.query.Get("page[size]"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxProcessingPage {
			return invalid("page[size]", "Must be between 1 and 500."), false
		}
		*size = n
	}
	if text := r.query.Get("page[after]"); text != "" {
		number, err := base64.URLEncoding.DecodeString(text)
		n, notNumber := strconv.Atoi(string(number))
		if err != nil || notNumber != nil || n < 0 {
			return invalid("page[after]", "Not a valid cursor."), false
		}
		*after = n
	}
	return reply{}, true
}

func cursor(n int) string { return base64.URLEncoding.EncodeToString([]byte(strconv.Itoa(n))) }

// utc is a time in the format of the API's requests. It is rounded up to microseconds, so that a
// list that ends now contains the entries that were added now.
func utc(t time.Time) string {
	return t.Add(time.Microsecond - 1).UTC().Format("2006-01-02T15:04:05.000000Z")
}

// logUnprocessed adds an entry for an accepted file that its kind does not allow, of a kind that
// the fake cloud does not read. It looks at the first bytes, and the fields of the request apply
// all the same.
func (c *Cloud) logUnprocessed(p *project, u Upload, serial string) {
	magic := map[string]string{"elf_coredump": "\x7fELF", "mar": "PK"}[u.Kind]
	if !bytes.HasPrefix(u.Start, []byte(magic)) {
		c.logProcessing(p, ProcessingLogEntry{DeviceSerial: serial, Message: "The content of the file is not of the kind " + u.Kind})
	}
}

// logDropped adds an entry for a request of a device that a fault accepted without carrying it
// out.
func (c *Cloud) logDropped(op *operation.Operation, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.byProjectKey(r.Header.Get(projectKeyHeader)).project; p != nil {
		c.logProcessing(p, ProcessingLogEntry{DeviceSerial: r.PathValue("device_serial"), Message: "Accepted data of " + op.Name + " was dropped"})
	}
}
