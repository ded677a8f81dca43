package memfault

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/memfault-go/memfault/internal/operation"
)

// UploadsService sends files to Memfault: symbols, payloads for updates, and what
// devices recorded. A method holds a small buffer of the file, whatever its size.
//
// An upload has three requests: the first asks where the file may go, the second
// sends it there, without a credential, and the third says what the file is. The
// second is repeated from the file's start when it fails; WithProgress tells how far
// it is, and WithResponse the answer to the last request that was sent. What was
// uploaded before is no error, see UploadResult. A file above Memfault's limit is
// ErrTooLarge, which shows only after all of it was sent; the limit is in the
// error's text. ErrRateLimited means that the device sent too much of its kind,
// unless its server-side developer mode is on.
//
// With a ProjectKey, which identifies its project, project is the zero value. With any other
// credential project names the project. An Authenticator of your own is taken for a
// project key when project is the zero value.
type UploadsService struct{ client *Client }

// UploadResult is what became of an upload.
type UploadResult struct {
	// AlreadyUploaded: Memfault has had this file before.
	AlreadyUploaded bool
	MD5             string // of the file, in lower-case hexadecimal; empty when it was not sent to its end
	Size            int64  // of the file, in bytes
}

// upload is a kind of file.
type upload struct {
	projectKeyCommit, consoleCommit operation.ID // how it is committed with a project key, and how without one
	check                           func(start []byte) error
	fields                          map[string]any // what its commit says besides the file
}

// uploadTarget is where a file may go.
type uploadTarget struct {
	UploadURL string `json:"upload_url"`
	Token     string `json:"token"`
}

// send uploads a file of some kind.
func (s *UploadsService) send(ctx context.Context, project ProjectRef, file *File, kind upload, opts []CallOption) (*UploadResult, error) {
	prepare, commit := operation.UploadPrepareBasicAuth, kind.consoleCommit
	if s.usesProjectKey(project) {
		prepare, commit = operation.UploadPrepareProjectKey, kind.projectKeyCommit
	}
	if err := s.checkCommit(commit, project); err != nil {
		return nil, err
	}
	if err := checkFile(file, kind.check); err != nil {
		return nil, err
	}
	if _, err := payloadOf(kind.fields); err != nil { // better now than after the file
		return nil, invalid("%s: %w", operation.Get(commit).Name, err)
	}
	granted, err := fetch[uploadTarget](ctx, clientOf(s), prepare, input{path: project.path()}, opts)
	if err != nil {
		return nil, err
	}
	if granted.Token == "" {
		return nil, fmt.Errorf("memfault: %s: the reply lacks a token", operation.Get(prepare).Name)
	}
	sum, err := s.put(ctx, granted.UploadURL, file, newCallOptions(opts))
	if err != nil {
		return nil, err
	}
	body := map[string]any{"file": map[string]string{"token": granted.Token, "md5": sum, "name": file.baseName()}}
	maps.Copy(body, kind.fields)
	err = exec(ctx, clientOf(s), commit, input{path: project.path(), body: body}, opts)
	return newUploadResult(file, sum, err)
}

// usesProjectKey reports whether the paths without a project are to be used.
func (s *UploadsService) usesProjectKey(project ProjectRef) bool {
	if held, ok := clientOf(s).auth.(credential); ok {
		return held.kind == operation.ProjectKey
	}
	return project == ProjectRef{}
}

// checkCommit refuses, before anything is sent, what the commit would fail with.
func (s *UploadsService) checkCommit(commit operation.ID, project ProjectRef) error {
	op := operation.Get(commit)
	if err := authorize(clientOf(s).auth, op); err != nil {
		return err
	}
	if (project.Organization == "") != (project.Project == "") {
		return invalid("%s: the ProjectRef names an organization without a project, or the other way round", op.Name)
	}
	_, err := clientOf(s).fill(op, input{path: project.path()})
	return err
}

// put sends the file to the URL that the API named, and returns its MD5.
func (s *UploadsService) put(ctx context.Context, address string, file *File, opts callOptions) (string, error) {
	op := operation.Get(operation.UploadPutFile)
	target, err := clientOf(s).core.foreignTarget(op, address)
	if err != nil {
		return "", err
	}
	content := &filePayload{file: file, progress: opts.progress}
	r, err := clientOf(s).send(ctx, op, target, content.payload(file.contentType()), opts)
	if err != nil {
		return "", err
	}
	r.release()
	return content.sum(op.Name)
}

// uploadInOneRequest uploads a file as the body of one request, or as a part of it. The
// request is a POST and sent once.
func uploadInOneRequest(ctx context.Context, client *Client, id operation.ID, path []string, contentType string, content *filePayload, opts []CallOption) (*UploadResult, error) {
	err := exec(ctx, client, id, input{path: path, body: content.payload(contentType)}, opts)
	sum, unsent := content.sum(operation.Get(id).Name)
	if err == nil && unsent != nil {
		return nil, unsent
	}
	return newUploadResult(content.file, sum, err)
}

// newUploadResult is the result of an upload that ended with err.
func newUploadResult(file *File, sum string, err error) (*UploadResult, error) {
	known := errors.Is(err, ErrConflict)
	if err != nil && !known {
		return nil, err
	}
	return &UploadResult{AlreadyUploaded: known, MD5: sum, Size: file.Size}, nil
}

// checkFile refuses what cannot be uploaded, and what is not of its kind.
func checkFile(file *File, check func(start []byte) error) error {
	if err := file.validate(); err != nil || check == nil {
		return err
	}
	const enough = 20 // for the magic numbers of all kinds
	start, err := file.start(enough)
	if err != nil {
		return err
	}
	if err := check(start); err != nil {
		return invalid("File: %s: %w", file.Name, err)
	}
	return nil
}
