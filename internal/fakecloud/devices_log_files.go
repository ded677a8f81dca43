package fakecloud

import (
	"bytes"
	"slices"
)

// LogFile describes a log file of a device.
type LogFile struct {
	ID      string // a UUID
	Content []byte // text, or text compressed with gzip
}

type logFile struct {
	id   string
	file file
}

func (c *Cloud) newLogFile(f LogFile) *logFile {
	kind := "text/plain; charset=utf-8"
	if bytes.HasPrefix(f.Content, []byte{0x1f, 0x8b}) {
		kind = "application/gzip"
	}
	return &logFile{f.ID, file{content: newBlob(f.Content), contentType: kind, modified: c.now()}}
}

func (d *device) logFile(id string) *logFile {
	at := slices.IndexFunc(d.logFiles, func(f *logFile) bool { return f.id == id })
	if at < 0 {
		return nil
	}
	return d.logFiles[at]
}

// SetLogFile adds a log file to a device of the default project, or replaces its content.
func (c *Cloud) SetLogFile(serial, cid string, content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.accepts("a log file", required("serial", serial), required("ID", cid)) {
		return
	}
	_, d := c.ensureDevice(serial)
	added := c.newLogFile(LogFile{ID: cid, Content: content})
	if existing := d.logFile(cid); existing != nil {
		*existing = *added
		return
	}
	d.logFiles = append(d.logFiles, added)
}

func listLogFiles(r *request, d *device) reply {
	return list(r, d.logFiles, func(f *logFile) object { return object{"cid": f.id} })
}

func (c *Cloud) downloadLogFile(r *request, d *device) reply {
	f := d.logFile(r.PathValue("cid"))
	if f == nil {
		return notFound("Log file not found")
	}
	named := f.file
	named.name = f.id + ".log"
	return c.stream(r, named)
}
