package memfault

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/textproto"

	"github.com/memfault-go/memfault/internal/operation"
)

// ArtifactUploadOptions says what a file is to a release.
type ArtifactUploadOptions struct {
	Type            ArtifactType // required
	HardwareVersion string       // required
	BuildID         string
}

// ArtifactUploadResult is what became of an upload to a release.
type ArtifactUploadResult struct {
	UploadResult
	Location string // the URL of the task that processes the file; empty when Memfault names none
}

// Upload adds a file to a release, which has to exist. Memfault accepts it and
// processes it later. The file goes out in one request, which is sent once;
// WithProgress tells how far it is. A file that the release has is no error, see
// UploadResult.
//
// This is the older of two ways: Uploads.OTAPayload and Uploads.Symbols are those of
// today. Memfault's documents do not agree about the form of the request; it is sent
// as multipart/form-data.
//
// Memfault: https://docs.memfault.com/api/artifacts
func (s *ArtifactsService) Upload(ctx context.Context, project ProjectRef, releaseVersion string, file *File, options ArtifactUploadOptions, opts ...CallOption) (*ArtifactUploadResult, error) {
	if err := required("ArtifactUploadOptions", "Type", string(options.Type), "HardwareVersion", options.HardwareVersion); err != nil {
		return nil, err
	}
	if err := checkFile(file, nil); err != nil {
		return nil, err
	}
	content := &filePayload{file: file, progress: newCallOptions(opts).progress}
	contentType, err := options.form(content)
	if err != nil {
		return nil, invalid("File: %s: %w", file.Name, err)
	}
	var response Response
	result, err := uploadInOneRequest(ctx, clientOf(s), operation.ArtifactsUploadForRelease, project.path(releaseVersion), contentType, content, withResponseToo(opts, &response))
	if err != nil {
		return nil, err
	}
	return &ArtifactUploadResult{UploadResult: *result, Location: response.Header.Get("Location")}, nil
}

// form writes what goes before and after the file, and returns the type of all.
func (o ArtifactUploadOptions) form(content *filePayload) (contentType string, err error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, field := range [][2]string{
		{"type", string(o.Type)},
		{"hardware_version", o.HardwareVersion},
		{"filename", content.file.baseName()},
		{"build_id", o.BuildID},
	} {
		if field[1] == "" {
			continue
		}
		if err := form.WriteField(field[0], field[1]); err != nil {
			return "", err
		}
	}
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", multipart.FileContentDisposition("file", content.file.baseName()))
	header.Set("Content-Type", content.file.contentType())
	if _, err := form.CreatePart(header); err != nil {
		return "", err
	}
	before := b.Len()
	if err := form.Close(); err != nil {
		return "", err
	}
	content.before, content.after = b.Bytes()[:before:before], b.Bytes()[before:]
	return form.FormDataContentType(), nil
}
