package fakecloud

import (
	"time"

	"github.com/memfault-go/memfault/internal/buildid"
)

// unknownSerial is the device of a coredump that is uploaded without a serial. The real cloud
// reads the serial in the coredump; the fake cloud does not decode coredumps.
const unknownSerial = "UNKNOWN"

// applyUpload applies the consequences of an uploaded file. Of the content, it reads only the
// build ID of symbols.
func (c *Cloud) applyUpload(u keptUpload) {
	p := u.project
	device := traitsIn(u.Commit)
	if nested, ok := u.Commit["device"].(map[string]any); ok {
		device = traitsIn(nested)
	}
	if device.serial == "" && (u.Kind == "coredump" || u.Kind == "coredump_raw") {
		device.serial = unknownSerial
	}
	c.logUnprocessed(p, u.Upload, device.serial)
	switch u.Kind {
	case "symbols":
		c.applySymbols(p, u)
	case "ota_payload":
		c.applyPayload(p, u)
	case "coredump", "coredump_raw":
		c.applyCoredump(p, c.received(p, device, false), device.version, u)
	case "elf_coredump":
		c.applyCoredump(p, c.received(p, device, false), device.version, u)
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
	if info, _ := buildid.Inspect(u.file); info.BuildID != "" { // the cloud accepts any file
		p.builds = append(p.builds, info.BuildID)
	}
	version, _ := u.Commit["software_version"].(map[string]any)
	if text, ok := version["version"].(string); ok {
		softwareType, _ := version["software_type"].(string)
		v := c.ensureSoftwareVersion(p, softwareType, text)
		if revision, ok := version["revision"].(string); ok {
			v.revision = revision
		}
		c.addSymbols(p, v, u.file)
	}
}

func (c *Cloud) addSymbols(p *project, v *softwareVersion, content *blob) {
	v.symbolFile = c.newID()
	c.store(p, fileKey("symbols", v.symbolFile), file{name: "symbols.elf", content: content})
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

// applyCoredump creates a trace from a coredump. The fake cloud does not decode coredumps: all
// of them have the reason Unknown, and all of one kind belong to one issue. It does not
// convert them to ELF either: that download stays empty, as while Memfault processes a
// coredump.
func (c *Cloud) applyCoredump(p *project, d *device, version string, u keptUpload) {
	if version == "" {
		version = d.softwareVersion
	}
	isELF := u.Kind == "elf_coredump"
	t := c.addTrace(p, d, Trace{SoftwareVersion: version, Reason: "Unknown", Captured: c.now(), Coredump: true, ELF: isELF})
	c.assignIssue(p, t, "")
	files := coredumpFiles{dump: u.file, elf: newBlob(nil), symbols: newBlob(nil)}
	if isELF {
		files.elf = u.file
	}
	c.storeCoredump(p, t, files)
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
