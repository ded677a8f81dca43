package fakecloud

import (
	"cmp"
	"io"
	"time"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/buildid"
)

// unknownSerial is the device of a coredump that is uploaded without a serial and contains none.
const unknownSerial = "UNKNOWN"

// applyUpload applies the consequences of an uploaded file. Of the content, it reads coredumps of
// firmware, and the build ID and the names in symbols.
func (c *Cloud) applyUpload(u keptUpload) {
	p := u.project
	device := traitsIn(u.Commit)
	if nested, ok := u.Commit["device"].(map[string]any); ok {
		device = traitsIn(nested)
	}
	c.logUnprocessed(p, u.Upload, device.serial)
	switch u.Kind {
	case "symbols":
		c.applySymbols(p, u)
	case "ota_payload":
		c.applyPayload(p, u)
	case "coredump", "coredump_raw":
		c.applyCoredump(p, device, c.readCoredump(p, device.serial, u.file), u.file)
	case "elf_coredump":
		c.applyELFCoredump(p, c.received(p, device, false), device.version, u.file)
	case "custom_data_recording":
		c.applyRecording(p, c.received(p, device, false), u)
	case "mar":
		d := c.received(p, device, true)
		d.reportedConfig = d.fetchedConfig
	case "xed":
		c.received(p, device, false)
	}
}

func traitsIn(fields map[string]any) traits {
	text := func(name string) string { s, _ := fields[name].(string); return s }
	return traits{text("device_serial"), text("hardware_version"), text("software_type"), text("software_version")}
}

func (c *Cloud) applySymbols(p *project, u keptUpload) {
	var v *softwareVersion
	version, _ := u.Commit["software_version"].(map[string]any)
	if text, ok := version["version"].(string); ok {
		softwareType, _ := version["software_type"].(string)
		v = c.ensureSoftwareVersion(p, softwareType, text)
		if revision, ok := version["revision"].(string); ok {
			v.revision = revision
		}
	}
	added := c.addSymbols(p, v, u.file)
	if added.buildID != "" {
		p.builds = append(p.builds, added.buildID)
	}
}

// addSymbols adds a symbol file, of a version or nil. The cloud accepts any file, also one without
// a build ID and names.
func (c *Cloud) addSymbols(p *project, v *softwareVersion, content *blob) *symbols {
	added := &symbols{file: c.newID()}
	info, _ := buildid.Inspect(content)
	added.buildID = info.BuildID
	added.names, _ = chunk.ReadNames(content)
	if v != nil {
		v.symbolFile, added.softwareType, added.version = added.file, v.kind.name, v.version
	}
	p.symbols = append(p.symbols, added)
	c.store(p, fileKey("symbols", added.file), file{name: "symbols.elf", content: content})
	for _, t := range p.diagnostics.traces {
		if t.Coredump && !t.ELF && !t.Symbols {
			p.bindSymbols(t)
		}
	}
	return added
}

// applyPayload adds a payload to its release.
//
// UNCERTAIN(payload-later-notes): what a later payload of the same release changes. It need not
// repeat the notes, the revision and must_pass_through of the first. Here it only sets the notes
// and the revision if they are empty, so that a client cannot rely on it to change them.
func (c *Cloud) applyPayload(p *project, u keptUpload) {
	version, _ := u.Commit["software_version"].(map[string]any)
	softwareType, _ := version["software_type"].(string)
	hardware, _ := u.Commit["hardware_version"].(string)
	added := c.seedArtifacts(p, softwareType, Artifact{HardwareVersion: hardware, Filename: u.Name})
	added[0].file, added[0].extraInfo = u.file, u.Commit["extra_info"]
	if pair, ok := version["version"].([]any); ok {
		d := c.ensureDelta(p, softwareType, pair[0].(string), pair[1].(string))
		d.artifacts = append(d.artifacts, added...)
		return
	}
	rel := c.ensureRelease(p, softwareType, version["version"].(string))
	rel.artifacts = append(rel.artifacts, added...)
	if rel.notes == "" {
		rel.notes, _ = u.Commit["notes"].(string)
	}
	if rel.revision == "" {
		rel.revision, _ = version["revision"].(string)
	}
	if !rel.described {
		rel.mustPassThrough, _ = u.Commit["must_pass_through"].(bool)
		rel.described = true
	}
}

// maxCoredump is the size in bytes of the largest coredump of firmware that is read.
const maxCoredump = 16 << 20

// readCoredump reads an uploaded coredump of firmware. It returns nil if that is impossible.
func (c *Cloud) readCoredump(p *project, serial string, content *blob) *chunk.Coredump {
	if content.size > maxCoredump {
		c.logProcessing(p, ProcessingLogEntry{DeviceSerial: serial, Message: "The coredump is too large"})
		return nil
	}
	m := chunk.Message{Type: chunk.MessageCoredump, Payload: make([]byte, content.size)}
	_, err := io.ReadFull(io.NewSectionReader(content, 0, content.size), m.Payload)
	if err != nil {
		c.logUnreadable(p, serial, err)
		return nil
	}
	dump, err := m.Coredump()
	c.logUnreadable(p, serial, err)
	return dump
}

// applyELFCoredump creates a trace from the coredump of a Linux process, which the fake cloud does
// not read: all of them have the reason Unknown, and belong to one issue.
func (c *Cloud) applyELFCoredump(p *project, d *device, version string, content *blob) {
	t := c.addTrace(p, d, Trace{
		SoftwareVersion: cmp.Or(version, d.softwareVersion), Reason: "Unknown", Captured: c.now(), Coredump: true, ELF: true,
	})
	c.assignIssue(p, t, "")
	c.storeCoredump(p, t, coredumpFiles{dump: content, elf: content})
}

// applyRecording lists a recording. Without a start_time, it ends now.
func (c *Cloud) applyRecording(p *project, d *device, u keptUpload) {
	seconds, _ := u.Commit["duration_secs"].(float64)
	length := time.Duration(seconds) * time.Second
	start := c.now().Add(-length)
	if text, ok := u.Commit["start_time"].(string); ok {
		start, _ = time.Parse(time.RFC3339, text) // checked by badField
	}
	reason, _ := u.Commit["reason"].(string)
	types, _ := u.Commit["mimetypes"].([]any)
	added := Recording{Reason: reason, Start: start, End: start.Add(length), Size: u.Size, DeviceSerial: d.serial}
	for _, kind := range types {
		added.MIMETypes = append(added.MIMETypes, kind.(string))
	}
	c.addRecordingOf(p, d, added, u.file)
}
