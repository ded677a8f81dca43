package fakecloud

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
)

// newUpload returns the upload of a file.
func (r *request) newUpload(kind, name string, file *blob) keptUpload {
	return keptUpload{Upload{
		Kind: kind, Name: name, Size: file.size, MD5: file.md5, Start: file.start,
		ContentType: r.Header.Get("Content-Type"),
	}, r.project, file}
}

// checkOctetStream rejects a body without a length, an empty body, and a content type other
// than application/octet-stream.
func (r *request) checkOctetStream() (reply, bool) {
	switch {
	case r.ContentLength <= 0:
		return fail(http.StatusLengthRequired, "Content-Length must be set."), false
	case r.Header.Get("Content-Type") != "application/octet-stream":
		return fail(http.StatusUnsupportedMediaType, "Unsupported Content-Type"), false
	}
	return reply{}, true
}

func (c *Cloud) uploadRawCoredump(r *request) reply {
	if refused, ok := r.checkOctetStream(); !ok {
		return refused
	}
	if !bytes.HasPrefix(r.body, []byte("CORE")) {
		return badUpload("Not a coredump")
	}
	u := r.newUpload("coredump_raw", "", newBlob(r.body))
	if refused, ok := c.accept(u); !ok {
		return refused
	}
	c.applyUpload(u)
	return c.acceptedTask(r)
}

func (c *Cloud) uploadSymbolsLegacy(r *request) reply {
	if refused, ok := r.checkOctetStream(); !ok {
		return refused
	}
	u := r.newUpload("symbols_legacy", "", newBlob(r.body))
	if refused, ok := c.accept(u); !ok {
		return refused
	}
	c.addSymbols(r.project, c.ensureSoftwareVersion(r.project, r.PathValue("software_type"), r.PathValue("version")), u.file)
	return data(object{})
}

// acceptedTask returns the response to data that a task processes. The task has succeeded,
// because the fake cloud processes data immediately.
func (c *Cloud) acceptedTask(r *request) reply {
	return reply{status: http.StatusAccepted}.with("Location", r.base()+"/api/v0/queue/"+c.addTask("SUCCESS"))
}

func (c *Cloud) uploadArtifact(r *request, rel *release) reply {
	if r.ContentLength <= 0 {
		return fail(http.StatusLengthRequired, "Content-Length must be set.")
	}
	fields, name, content, err := r.form()
	if err != nil {
		return badUpload("Invalid form: " + err.Error())
	}
	for _, field := range []string{"type", "hardware_version", "filename"} {
		if fields[field] == "" {
			return invalid(field, "Missing data for required field.")
		}
	}
	if !versionForm.MatchString(fields["hardware_version"]) {
		return invalid("hardware_version", wrongForm)
	}
	if !slices.Contains(artifactTypes, fields["type"]) {
		return invalid("type", "Not a valid choice.")
	}
	u := r.newUpload("artifact", name, newBlob(content))
	u.Commit = map[string]any{}
	for field, value := range fields {
		u.Commit[field] = value
	}
	if refused, ok := c.accept(u); !ok {
		return refused
	}
	typeName := primarySoftwareType // the form names no software type
	if h := r.project.hardwareVersion(fields["hardware_version"]); h != nil {
		typeName = h.primaryType
	}
	c.ensureSoftwareVersion(r.project, typeName, rel.version)
	rel.artifacts = append(rel.artifacts, c.seedArtifacts(r.project, typeName, Artifact{
		Type: fields["type"], HardwareVersion: fields["hardware_version"], BuildID: fields["build_id"], Filename: fields["filename"], Content: content,
	})...)
	return c.acceptedTask(r)
}

// form reads a multipart form that contains exactly one file and ends with its closing
// boundary.
func (r *request) form() (fields map[string]string, name string, content []byte, err error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return nil, "", nil, errors.New("not multipart/form-data")
	}
	if !bytes.HasSuffix(r.body, []byte("\r\n--"+params["boundary"]+"--\r\n")) {
		return nil, "", nil, errors.New("no closing boundary")
	}
	fields = map[string]string{}
	for parts := multipart.NewReader(bytes.NewReader(r.body), params["boundary"]); ; {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "", nil, err
		}
		value, err := io.ReadAll(part)
		switch field := part.FormName(); {
		case err != nil:
			return nil, "", nil, err
		case field == "file" && content == nil && part.FileName() != "":
			name, content = part.FileName(), value
		case slices.Contains([]string{"type", "hardware_version", "filename", "build_id"}, field):
			fields[field] = string(value)
		default:
			return nil, "", nil, fmt.Errorf("unexpected part %q", field)
		}
	}
	if content == nil {
		return nil, "", nil, errors.New("no file")
	}
	return fields, name, content, nil
}

func (c *Cloud) importTrace(r *request) reply {
	body := map[string]any{}
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	device := body
	if nested, ok := body["device"].(map[string]any); ok { // as a demo program of Memfault sends it
		if body["device_serial"] != nil {
			return invalid("device", "Unknown field.") // only one form at a time
		}
		device = nested
	}
	for _, field := range []string{"device_serial", "hardware_version", "software_version", "software_type"} {
		if !isText(device[field]) {
			return invalid(field, "Missing data for required field.")
		}
	}
	if at, ok := body["captured_date"]; ok && !isTime(at) {
		return invalid("captured_date", "Not a valid datetime")
	}
	u := r.newUpload("trace_import", "", newBlob(r.body))
	u.Commit = body
	c.uploads.done = append(c.uploads.done, u)
	c.applyTrace(r.project, device, body)
	return reply{status: http.StatusAccepted}
}
