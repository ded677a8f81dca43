package fakecloud

import (
	"cmp"
	"fmt"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// Recording describes a custom data recording.
type Recording struct {
	DeviceSerial string
	Reason       string
	Start, End   time.Time
	MIMETypes    []string
	Size         int64  // the length of Content by default
	Content      []byte // downloaded
}

type recording struct {
	Recording
	id     int64
	device *device
}

// AddRecordings adds recordings of devices to the default project, and returns their IDs.
func (c *Cloud) AddRecordings(recordings ...Recording) []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []int64
	for _, r := range recordings {
		if !c.accepts("a recording", required("serial", r.DeviceSerial)) {
			ids = append(ids, 0)
			continue
		}
		p, d := c.ensureDevice(r.DeviceSerial)
		ids = append(ids, c.addRecording(p, d, r))
	}
	return ids
}

func (c *Cloud) addRecording(p *project, d *device, r Recording) (id int64) {
	var content *blob
	if r.Content != nil {
		content = newBlob(r.Content)
	}
	return c.addRecordingOf(p, d, r, content)
}

// addRecordingOf adds a recording whose content is a file, or nil.
func (c *Cloud) addRecordingOf(p *project, d *device, r Recording, content *blob) (id int64) {
	if content != nil {
		r.Size = cmp.Or(r.Size, content.size)
	}
	added := &recording{Recording: r, id: c.newID(), device: d}
	p.diagnostics.recordings = append(p.diagnostics.recordings, added)
	if content != nil {
		c.store(p, fileKey("recording", added.id), file{name: fmt.Sprintf("recording-%d.bin", added.id), content: content})
	}
	return added.id
}

func (c *Cloud) recordingHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{
		operation.DeviceCustomDataRecordingsList: withDevice(listDeviceRecordings),
		operation.CustomDataRecordingsList:       listRecordings,
	}
}

func (r *recording) view() object {
	return object{
		"id": r.id, "reason": r.Reason, "start_time": stamp(r.Start), "end_time": stamp(r.End),
		"mimetypes": r.MIMETypes, "size_bytes": r.Size, "device": r.device.refView(),
	}
}

func listDeviceRecordings(r *request, d *device) reply {
	recordings := filter(r.project.diagnostics.recordings, func(rec *recording) bool {
		return rec.device == d && r.within(rec.Start, "start_time", "end_time")
	})
	return list(r, recordings, (*recording).view)
}

func listRecordings(r *request) reply {
	recordings := filter(r.project.diagnostics.recordings, func(rec *recording) bool { return r.wants("collection_reason", rec.Reason) })
	return list(r, recordings, (*recording).view)
}
