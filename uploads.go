package memfault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"github.com/memfault-go/memfault/internal/operation"
)

// UploadsService uploads files to Memfault: symbols, update payloads, and data recorded by
// devices. Methods use a small buffer, whatever the size of the file.
//
// Most uploads consist of three requests: the first asks for the upload URL, the second sends
// the file there without a credential, and the third describes the file. If the second fails,
// it is retried from the start of the file. [WithProgress] reports its progress, and
// [WithResponse] returns the response to the last request. OTAPayload also requests the release, for
// [UploadResult.Previous]. RawCoredump, SymbolsLegacy and ImportTrace send one request; SymbolsExist
// uploads nothing.
//
// Uploading a file again is not an error; see [UploadResult]. If a file exceeds Memfault's
// limit, the upload fails with [ErrTooLarge], but only after the whole file was sent; the
// error text contains the limit. [ErrRateLimited] means that the device has sent too much data
// of this kind and its server-side developer mode is off.
//
// A [ProjectKey] already identifies its project, so pass the zero value as project: a complete
// project is ignored, and half a project is an error. With any other credential, project
// identifies the project. A custom [Authenticator] is treated as a project key if project is
// the zero value.
type UploadsService struct{ client *Client }

// UploadResult describes a completed upload.
type UploadResult struct {
	// AlreadyUploaded reports whether Memfault already had this file, for the same version,
	// hardware version and software type. Only symbols, payloads and artifacts can be looked up.
	// For any other file, it reports whether Memfault rejected the file with 409.
	AlreadyUploaded bool
	MD5             string // lowercase hexadecimal; empty if the file was not read completely
	Size            int64  // bytes

	// Previous contains the files with other content that the release has for the hardware
	// version, because they were uploaded before. Devices may be offered one of them instead of this file. Only
	// [UploadsService.OTAPayload] and [ArtifactsService.Upload] look for such files. The files can
	// be of other software types, because Memfault does not return the type of a file.
	Previous []Artifact
	// PreviousUnknown is the reason why these methods could not determine Previous, such as a
	// token that may only upload. It is empty if Previous is complete.
	PreviousUnknown string
}

// upload describes the requests for one kind of file.
type upload struct {
	projectKeyCommit, consoleCommit *operation.Operation // the third request, with a project key and without
	prepare                         uploadPrepare
	check                           func(start []byte) error
	fields                          map[string]any // of the third request, besides the file
	existing                        lookup         // nil if a 409 is sufficient
}

// uploadPrepare is the body of the first request.
type uploadPrepare struct {
	Kind   string          `json:"kind,omitempty"`   // only with a project key
	Device *DeviceIdentity `json:"device,omitempty"` // only with a project key
	Size   int64           `json:"size"`             // bytes
}

// uploadTarget is the address for one upload.
type uploadTarget struct {
	UploadURL string `json:"upload_url"`
	Token     string `json:"token"`
}

func (t *uploadTarget) missing() string {
	switch {
	case t.UploadURL == "":
		return "upload_url; Memfault may want the file in parts, which this package cannot do"
	case t.Token == "":
		return "token"
	default:
		return ""
	}
}

// maxUploadSize is the size limit of the storage for a file that is sent in one request.
const maxUploadSize = 5 << 30

// send uploads a file of one kind.
func (s *UploadsService) send(ctx context.Context, project ProjectRef, file *File, kind upload, opts []CallOption) (*UploadResult, error) {
	prepare, commit := operation.UploadPrepareBasicAuth, kind.consoleCommit
	if s.usesProjectKey(project) {
		prepare, commit = operation.UploadPrepareProjectKey, kind.projectKeyCommit
	} else {
		kind.prepare = uploadPrepare{}
	}
	if err := s.checkCommit(commit, project); err != nil {
		return nil, err
	}
	if err := checkFile(file.within(ctx), kind.check); err != nil {
		return nil, err
	}
	if file.Size > maxUploadSize {
		return nil, invalid("File: %s: %d bytes are more than the 5 GiB of one upload: %w", file.Name, file.Size, ErrTooLarge)
	}
	fields, err := payloadOf(kind.fields) // before the file is sent
	if err == nil {
		err = checkNamesInBody(fields.content)
	}
	if err != nil {
		return nil, invalid("%s: %w", commit.Name, err)
	}
	kind.prepare.Size = file.Size
	token, sum, err := s.store(ctx, prepare, requestParams{path: project.path(), body: kind.prepare}, file, opts)
	if err != nil {
		return nil, err
	}
	body := map[string]any{"file": map[string]string{"token": token, "md5": sum, "name": file.baseName()}}
	maps.Copy(body, kind.fields)
	err = exec(ctx, clientOf(s), commit, requestParams{path: project.path(), body: body}, opts)
	switch {
	case err == nil || errors.Is(err, ErrConflict):
	case errors.Is(err, ErrNoAnswer) || errors.Is(err, ErrTemporary): // it was not rejected
		return nil, fmt.Errorf("%w; the file itself arrived, and it is safe to upload it again", err)
	default:
		return nil, err
	}
	return kind.existing.result(ctx, file, sum, err)
}

// store asks for an upload URL and sends the file there. It returns the token and the MD5 of
// the file. If the storage no longer accepts the URL, it asks for another one, once.
func (s *UploadsService) store(ctx context.Context, prepare *operation.Operation, params requestParams, file *File, opts []CallOption) (token, sum string, err error) {
	options := newCallOptions(opts)
	for renewed := options.withoutRetry; ; renewed = true {
		granted, err := fetch[uploadTarget](ctx, clientOf(s), prepare, params, opts)
		if err != nil {
			return "", "", err
		}
		sum, err := s.put(ctx, granted.UploadURL, file, options)
		if err == nil || renewed || !errors.Is(err, ErrForbidden) {
			return granted.Token, sum, err
		}
	}
}

// usesProjectKey reports whether to use the paths without a project.
func (s *UploadsService) usesProjectKey(project ProjectRef) bool {
	if kind, ok := kindOf(clientOf(s).auth); ok {
		return kind == operation.ProjectKey
	}
	return project == ProjectRef{}
}

// checkCommit returns, before anything is sent, the local errors of the commit.
func (s *UploadsService) checkCommit(commit *operation.Operation, project ProjectRef) error {
	if err := authorize(clientOf(s).auth, commit); err != nil {
		return err
	}
	if (project.Organization == "") != (project.Project == "") {
		return invalid("%s: the ProjectRef names an organization without a project, or the other way round", commit.Name)
	}
	_, err := clientOf(s).requestURL(commit, requestParams{path: project.path()})
	return err
}

// expectFrom is the size from which the storage is asked whether it accepts a file before the file
// is sent. Otherwise its response can be lost: a storage that rejects a file early may close the
// connection, and if net/http then fails to send the file, it drops a response that has arrived.
const expectFrom = 1 << 20

// put sends the file to the URL from the API, and returns the MD5 of the file.
func (s *UploadsService) put(ctx context.Context, address string, file *File, opts callOptions) (string, error) {
	op := operation.UploadPutFile
	target, err := clientOf(s).core.parsePresignedURL(address)
	if err != nil {
		return "", newKindError(ErrUnexpectedResponse, "%s: upload_url: %w", op.Name, err)
	}
	c := &call{client: clientOf(s), op: op, options: opts}
	if file.Size >= expectFrom {
		c.header = http.Header{"Expect": {"100-continue"}}
	}
	content := &filePayload{file: file, progress: opts.progress}
	r, err := clientOf(s).send(ctx, c, target, content.payload(file.contentType()))
	if err != nil {
		return "", content.cause(op.Name, err)
	}
	r.release()
	return content.sum(op.Name)
}

// singleUpload is an upload that consists of one request, with the file as the body or a part
// of the body. The request is a POST, so it is not retried once it may have reached Memfault.
type singleUpload struct {
	operation   *operation.Operation
	path        []string
	contentType string
	content     *filePayload
	existing    lookup // nil if a 409 is sufficient
}

func (u singleUpload) send(ctx context.Context, client *Client, opts []CallOption) (*UploadResult, error) {
	name := u.operation.Name
	err := exec(ctx, client, u.operation, requestParams{path: u.path, body: u.content.payload(u.contentType)}, opts)
	if err != nil && !errors.Is(err, ErrConflict) {
		return nil, u.content.cause(name, err)
	}
	sum, unsent := u.content.sum(name)
	if err == nil && unsent != nil {
		return nil, unsent
	}
	return u.existing.result(ctx, u.content.file, sum, err)
}

// checkFile returns an error if the file cannot be uploaded, or if it is not of the kind that
// check expects.
func checkFile(file *File, check func(start []byte) error) error {
	if err := file.validate(); err != nil || check == nil {
		return err
	}
	const enough = 20 // contains the magic number of every kind
	start, err := file.start(enough)
	if err != nil {
		return err
	}
	if err := check(start); err != nil {
		return invalid("File: %s: %w", file.Name, err)
	}
	return nil
}
