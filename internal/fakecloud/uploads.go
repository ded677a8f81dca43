package fakecloud

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"

	"github.com/memfault-go/memfault/internal/operation"
)

// uploads contains the uploaded files and the slots for files to be uploaded.
type uploads struct {
	slots    map[string]*slot // by token
	done     []keptUpload
	maxBytes int64 // 0 for no limit
	anywhere bool  // whether a file may have the content of one for another version or board
}

// Upload describes an uploaded file.
type Upload struct {
	Kind        string // symbols, ota_payload, sbom, coredump, elf_coredump, bugreport, mar, custom_data_recording, xed; coredump_raw, symbols_legacy, artifact
	Name        string
	Size        int64
	MD5         string // in hexadecimal
	ContentType string
	Start       []byte         // at most the first 1 MiB of the file
	Commit      map[string]any // the JSON or the form that describes the file
}

// keptUpload is an upload and its file.
type keptUpload struct {
	Upload
	project *project
	file    *blob
}

// Uploads returns the uploaded files in the order of upload.
func (c *Cloud) Uploads() []Upload {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Upload
	for _, u := range c.uploads.done {
		all = append(all, u.Upload)
	}
	return all
}

// SetMaxUpload sets the size in bytes above which the cloud rejects an uploaded file.
func (c *Cloud) SetMaxUpload(maxBytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uploads.maxBytes = maxBytes
}

// AcceptEqualFiles makes the cloud accept a file whose content it has for another software
// version or hardware version.
func (c *Cloud) AcceptEqualFiles() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uploads.anywhere = true
}

// buildIDForm is the form of build IDs in paths.
var buildIDForm = regexp.MustCompile(`^[0-9a-f]+$`)

// AddBuildID adds the build ID of symbols that the default project has. It must be lowercase
// hexadecimal, since a client asks for no other.
func (c *Cloud) AddBuildID(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.seeded
	if !buildIDForm.MatchString(id) {
		c.recorder.addViolation(fmt.Sprintf("the test adds the build ID %q, which is not lowercase hexadecimal", id))
		return
	}
	p.builds = append(p.builds, id)
}

func (c *Cloud) uploadHandlers() map[*operation.Operation]handler {
	handlers := map[*operation.Operation]handler{
		operation.UploadPrepareProjectKey:             c.prepareUpload,
		operation.UploadPrepareBasicAuth:              c.prepareUpload,
		operation.SymbolsExistsByGNUBuildID:           headBuildID,
		operation.UploadCoredumpRawLegacy:             c.uploadRawCoredump,
		operation.SoftwareVersionsUploadSymbolsLegacy: c.uploadSymbolsLegacy,
		operation.ArtifactsUploadForRelease:           withRelease(c.uploadArtifact),
		operation.UploadTraceImport:                   c.importTrace,
	}
	for kind, ids := range map[string][]*operation.Operation{
		"symbols":               {operation.UploadCommitSymbols},
		"ota_payload":           {operation.UploadCommitOTAPayload, operation.ReleaseArtifactsCreate},
		"sbom":                  {operation.UploadCommitSBOM},
		"coredump":              {operation.UploadCommitCoredump, operation.UploadCommitCoredumpProject},
		"elf_coredump":          {operation.UploadCommitELFCoredump, operation.UploadCommitELFCoredumpProject},
		"bugreport":             {operation.UploadCommitBugreport, operation.UploadCommitBugreportProject},
		"mar":                   {operation.UploadCommitMAR, operation.UploadCommitMARProject},
		"custom_data_recording": {operation.UploadCommitCustomDataRecording, operation.UploadCommitCustomDataRecordingProject},
		"xed":                   {operation.UploadCommitXED, operation.UploadCommitXEDProject},
	} {
		for _, id := range ids {
			handlers[id] = func(r *request) reply { return c.commit(r, kind) }
		}
	}
	return handlers
}

// prepareUpload does not require a body, but checks the body that some programs send.
func (c *Cloud) prepareUpload(r *request) reply {
	if len(r.body) > 0 {
		var body struct {
			Kind   *string        `json:"kind"`
			Device map[string]any `json:"device"`
			Size   *int64         `json:"size"`
		}
		if refused, ok := r.decode(&body); !ok {
			return refused
		}
		if body.Size != nil && *body.Size <= 0 {
			return invalid("size", "Must be greater than 0.")
		}
		if body.Device != nil && !isText(body.Device["device_serial"]) {
			return invalid("device", "Missing data for required field.")
		}
		if body.Kind != nil && !slices.Contains([]string{"COREDUMP", "ANDROID_BUG_REPORT", "MAR"}, *body.Kind) {
			return invalid("kind", "Not a valid choice.")
		}
	}
	s := c.newSlot(r.project)
	return data(object{"upload_url": r.base() + s.uri, "token": s.token})
}

// commit handles the request that describes the file in a slot.
func (c *Cloud) commit(r *request, kind string) reply {
	body := map[string]any{}
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	file, _ := body["file"].(map[string]any)
	token, _ := file["token"].(string)
	s := c.uploads.slots[token]
	switch {
	case s == nil || s.project != r.project:
		return invalid("file", "Unknown token.")
	case s.file == nil:
		return invalid("file", "The file was not uploaded.")
	case file["md5"] != nil && file["md5"] != s.file.md5:
		return invalid("file", "The MD5 does not match.")
	}
	if field := badField(kind, body); field != "" {
		return invalid(field, "Missing data for required field, unknown field or not a valid value.")
	}
	name, _ := file["name"].(string)
	done := r.newUpload(kind, name, s.file)
	done.ContentType, done.Commit = s.contentType, body
	if refused, ok := c.accept(done); !ok {
		return refused
	}
	s.used = true
	c.applyUpload(done)
	if r.op.Success[0] == http.StatusAccepted {
		return reply{status: http.StatusAccepted}
	}
	return data(object{})
}

// accept stores an uploaded file unless it is too large or already exists. A file exists if the
// project has one of the same kind and content, even for another version or board.
// UNCERTAIN(conflict-content): whether Memfault compares more than the content; this decides
// against the client, unless AcceptEqualFiles was called.
func (c *Cloud) accept(u keptUpload) (reply, bool) {
	if limit := c.uploads.maxBytes; limit > 0 && u.Size > limit {
		return badUpload(fmt.Sprintf("Uploaded file is too big (max %d bytes)", limit)), false
	}
	if slices.ContainsFunc(c.uploads.done, func(other keptUpload) bool {
		return other.project == u.project && other.Kind == u.Kind && other.MD5 == u.MD5 &&
			(!c.uploads.anywhere || other.isForSame(u))
	}) {
		return fail(http.StatusConflict, "This file already exists"), false
	}
	c.uploads.done = append(c.uploads.done, u)
	return reply{}, true
}

// isForSame reports whether two files belong to the same versions.
func (u keptUpload) isForSame(other keptUpload) bool {
	return reflect.DeepEqual(u.Commit["software_version"], other.Commit["software_version"]) &&
		u.Commit["hardware_version"] == other.Commit["hardware_version"]
}

// headBuildID knows the builds whose symbols were uploaded, by the build ID that the software
// reports. UNCERTAIN(build-id-head): whether Memfault knows a Memfault build ID here; its
// command-line tool looks for it here.
func headBuildID(r *request) reply {
	if !slices.Contains(r.project.builds, r.PathValue("gnu_build_id")) {
		return notFound("Not found")
	}
	return reply{status: http.StatusOK}
}
