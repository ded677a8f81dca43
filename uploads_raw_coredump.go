package memfault

import (
	"context"

	"github.com/memfault-go/memfault/internal/operation"
)

// RawCoredumpOptions has no fields yet, because a coredump identifies its device.
type RawCoredumpOptions struct{}

// RawCoredump uploads a coredump of Memfault's firmware SDK in one request. Prefer
// [UploadsService.Coredump]: RawCoredump is the older way, which programs on phones still use.
//
// The request is not retried once it may have reached Memfault. If the file does not start
// like such a coredump, RawCoredump returns an error and sends nothing.
//
// Credentials: [ProjectKey].
//
// Memfault: https://docs.memfault.com/api/upload
func (s *UploadsService) RawCoredump(ctx context.Context, file *File, _ RawCoredumpOptions, opts ...CallOption) (*UploadResult, error) {
	if err := checkFile(file, isCoredump); err != nil {
		return nil, err
	}
	content := &filePayload{file: file, progress: newCallOptions(opts).progress}
	return singleUpload{operation: operation.UploadCoredumpRawLegacy, contentType: octetStream, content: content}.send(ctx, clientOf(s), opts)
}
