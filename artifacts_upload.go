package memfault

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/textproto"

	"github.com/memfault-go/memfault/internal/operation"
)

// ArtifactUploadOptions describes a file of a release.
type ArtifactUploadOptions struct {
	Type            ArtifactType // required
	HardwareVersion string       // required
	BuildID         string
}

// ArtifactUploadResult describes a completed upload to a release.
type ArtifactUploadResult struct {
	UploadResult
	Location string // URL of the task that processes the file; may be empty
}

// Upload adds a file to an existing release. Prefer [UploadsService.OTAPayload] or
// [UploadsService.Symbols]: Upload is the older way.
//
// Memfault accepts the file and processes it later. Uploading a file again is not an error;
// see [UploadResult]. Upload sends one request, and it is not retried once it may have reached
// Memfault. [WithProgress] reports the progress of the upload.
//
// Memfault's documents disagree about the form of the request. It is sent as
// multipart/form-data.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
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
	existing := func(ctx context.Context, md5 string) (bool, string, error) {
		return findArtifact(ctx, clientOf(s), project, releaseVersion, options.HardwareVersion, md5, opts)
	}
	request := singleUpload{operation.ArtifactsUploadForRelease, project.path(releaseVersion), contentType, content, existing}
	result, err := request.send(ctx, clientOf(s), withExtraResponse(opts, &response))
	if err != nil {
		return nil, err
	}
	return &ArtifactUploadResult{UploadResult: *result, Location: response.Header.Get("Location")}, nil
}

// form sets the parts of the body before and after the file, and returns the content type of
// the body.
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
