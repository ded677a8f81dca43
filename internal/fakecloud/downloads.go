package fakecloud

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// file is a file that can be downloaded.
type file struct {
	content     *blob
	name        string
	contentType string
	modified    time.Time
	notReady    int // number of requests that still get an empty body
}

// Coredump describes a coredump.
type Coredump struct {
	Issue           int64 // 0 for none
	DeviceSerial    string
	SoftwareVersion string
	Captured        time.Time
	Content         []byte
	ELF             []byte // the content with format=elf
	Symbols         []byte // coredumps with the same symbols have the same symbol file
	NotReady        int    // number of downloads that get an empty body, as while a coredump is processed
}

// AddCoredump adds a coredump of a device and its trace to the default project. It returns
// the IDs of the coredump and of its symbol file, or 0 if it is not valid. The issue must exist.
func (c *Cloud) AddCoredump(coredump Coredump) (id, symbols int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.accepts("a coredump", required("serial", coredump.DeviceSerial), refersID("issue", coredump.Issue, c.seeded.issue(coredump.Issue) != nil)) {
		return 0, 0
	}
	p, d := c.ensureDevice(coredump.DeviceSerial)
	t := c.addTrace(p, d, Trace{
		Issue: coredump.Issue, SoftwareVersion: coredump.SoftwareVersion, Captured: coredump.Captured,
		Coredump: true, Symbols: coredump.Symbols != nil,
	})
	files := coredumpFiles{newBlob(coredump.Content), newBlob(coredump.ELF), newBlob(coredump.Symbols), coredump.NotReady}
	for _, other := range p.diagnostics.traces {
		if f := p.diagnostics.files[fileKey("symbols", other.symbols)]; other.Symbols && f != nil && f.content.md5 == files.symbols.md5 {
			t.symbols = other.symbols
		}
	}
	c.storeCoredump(p, t, files)
	return t.coredump, t.symbols
}

// coredumpFiles is the files of a coredump.
type coredumpFiles struct {
	dump, elf, symbols *blob // symbols is nil if they are another file of the project
	notReady           int   // see Coredump
}

func (c *Cloud) storeCoredump(p *project, t *trace, files coredumpFiles) {
	dump := file{name: fmt.Sprintf("coredump-%d.bin", t.coredump), content: files.dump, notReady: files.notReady}
	elf := file{name: fmt.Sprintf("coredump-%d.elf", t.coredump), content: files.elf, notReady: files.notReady}
	c.store(p, fileKey("coredump", t.coredump), dump)
	c.store(p, fileKey("elf", t.coredump), elf)
	if files.symbols != nil {
		c.store(p, fileKey("symbols", t.symbols), file{name: "symbols.elf", content: files.symbols})
	}
}

// SetRecordingContent sets the content of a recording of the default project. The recording must
// exist.
func (c *Cloud) SetRecordingContent(id int64, content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := slices.ContainsFunc(c.seeded.diagnostics.recordings, func(r *recording) bool { return r.id == id })
	if !c.accepts("content", seedName{"recording", strconv.FormatInt(id, 10), known}) {
		return
	}
	c.store(c.seeded, fileKey("recording", id), file{name: fmt.Sprintf("recording-%d.bin", id), content: newBlob(content)})
}

// IgnoreRanges makes the cloud ignore the Range header and respond with whole files.
func (c *Cloud) IgnoreRanges() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ignoreRanges = true
}

func fileKey(kind string, id int64) string { return kind + "/" + strconv.FormatInt(id, 10) }

func (c *Cloud) store(p *project, key string, f file) {
	f.modified = c.now()
	if p.diagnostics.files == nil {
		p.diagnostics.files = map[string]*file{}
	}
	p.diagnostics.files[key] = &f
}

func (c *Cloud) downloadHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{
		operation.DeviceLogFilesDownload: withDevice(c.downloadLogFile),
		operation.CustomDataRecordingsDownload: func(r *request) reply {
			return c.serveFile(r, "recording/"+r.PathValue("id"))
		},
		operation.SymbolsDownload: func(r *request) reply {
			return c.serveFile(r, "symbols/"+r.PathValue("symbol_id"))
		},
		operation.CoredumpsDownload: func(r *request) reply {
			if r.query.Get("format") == "elf" {
				return c.serveFile(r, "elf/"+r.PathValue("coredump_id"))
			}
			return c.serveFile(r, "coredump/"+r.PathValue("coredump_id"))
		},
	}
}

func (c *Cloud) serveFile(r *request, key string) reply {
	f := r.project.diagnostics.files[key]
	if f == nil {
		return notFound("File not found")
	}
	if f.notReady > 0 {
		f.notReady--
		return reply{status: http.StatusOK}
	}
	return c.stream(r, *f)
}

// stream returns a response with a file or, for a request with Range, a part of it.
func (c *Cloud) stream(r *request, f file) reply {
	ignoreRanges := c.ignoreRanges
	return reply{serve: func(w http.ResponseWriter) {
		w.Header().Set("ETag", `"`+f.content.md5+`"`) // as in S3
		w.Header().Set("X-Request-Id", newUUID())
		if f.contentType == "" {
			f.contentType = "application/octet-stream"
		}
		w.Header().Set("Content-Type", f.contentType)
		if f.name != "" {
			w.Header().Set("Content-Disposition", `attachment; filename="`+f.name+`"`)
		}
		if ignoreRanges {
			r.Header.Del("Range") // the record of the request has a copy
		}
		http.ServeContent(w, r.Request, "", f.modified, io.NewSectionReader(f.content, 0, f.content.size))
	}}
}

// cdnOperation is the operation name of artifact downloads, for Requests and faults.
const cdnOperation = "artifacts.download"

// serveCDN serves the artifacts of releases without a credential. It rejects requests with
// one, as the storage behind presigned URLs does.
func (c *Cloud) serveCDN(w http.ResponseWriter, r *http.Request) {
	op := &operation.Operation{Name: cdnOperation}
	record, done := c.begin(op, r)
	defer done()
	w = c.recordStatus(w, record)
	if credentialIn(r.Header) {
		c.violation("a credential was sent to the CDN")
		fail(http.StatusBadRequest, "Only one auth mechanism allowed").write(w)
		return
	}
	fault := c.nextFault(op, r, nil)
	if fault.replaces(w, r, func(int) {}) {
		return
	}
	id, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/cdn/"), "/")
	response := fail(http.StatusForbidden, "Access denied")
	c.mu.Lock()
	if a := c.artifact(id); a != nil && a.filename == name && r.Method == http.MethodGet {
		response = c.stream(&request{Request: r}, file{content: a.file, modified: a.created})
	}
	c.mu.Unlock()
	fault.send(w, response)
}

func (c *Cloud) artifact(id string) *artifact {
	for _, org := range c.organizations {
		for _, p := range org.projects {
			var all []*artifact
			for _, rel := range p.releases {
				all = append(all, rel.artifacts...)
			}
			for _, d := range p.deltas {
				all = append(all, d.artifacts...)
			}
			for _, a := range all {
				if strconv.FormatInt(a.id, 10) == id {
					return a
				}
			}
		}
	}
	return nil
}
